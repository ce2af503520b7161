"""How every process writes its log: one line an event, as JSON for machines or in columns for a person at a terminal.

Libraries that log prose (aiokafka, Faust, MLflow) go through the same renderer, from warnings up, and without their repeats.
"""

import logging
import sys
import time
from typing import TextIO

import structlog
from structlog.typing import Processor

from adapters.environment.settings import Settings

REPEAT_SECONDS = 10.0


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers to `stream` (standard error), by the settings. Call it once."""
    stream = stream or sys.stderr
    renderer = _renderer(settings.log_format, stream)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(OncePerInterval(REPEAT_SECONDS))
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*_last_steps(), renderer]))
    _replace_root_handler(handler, settings.log_level)


class OncePerInterval(logging.Filter):
    """Lets a library's message (by its template) through once in `seconds`: a broker that is down is one line, not a flood."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._seen: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written. Our own events are dictionaries and always are."""
        if isinstance(record.msg, dict):
            return True
        now, key = time.monotonic(), (record.name, str(record.msg)[:200])
        if now - self._seen.get(key, -self._seconds) < self._seconds:
            return False
        self._seen[key] = now
        return True


def _renderer(log_format: str, stream: TextIO) -> Processor:
    if log_format == "json" or (log_format == "auto" and not stream.isatty()):
        return structlog.processors.JSONRenderer()
    plain = structlog.dev.plain_traceback  # the default one prints local variables, and one of them may be a key
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)


def _last_steps() -> list[Processor]:
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info]


def _replace_root_handler(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("tripcast").setLevel(level.upper())
