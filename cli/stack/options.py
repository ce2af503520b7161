"""What the user asked `tripcast up` for."""

from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidInput

FASTEST = "max"


@dataclass(frozen=True, slots=True)
class UpOptions:
    """A trips file to learn from and replay, or (None) the simulated city; `source_arguments` go to the source as they are."""

    trips: Path | None = None
    zones: Path | None = None
    speed: str | None = None
    source: bool = True
    once: bool = False
    as_json: bool = False
    source_arguments: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse what could only fail minutes later. Raises InvalidInput."""
        for option, path in (("--trips", self.trips), ("--zones", self.zones)):
            if path is not None and not path.is_file():
                raise InvalidInput(f"{option} {path}: no such file")
        if self.once and self.trips is None:
            raise InvalidInput("--once needs --trips: the simulated city never ends")
        if self.once and not self.source:
            raise InvalidInput("--once and --no-source exclude each other")
        if self.speed is not None and not _is_speed(self.speed):
            raise InvalidInput(f"--speed {self.speed}: not a positive number, nor {FASTEST}")


def _is_speed(text: str) -> bool:
    try:
        return text == FASTEST or float(text) > 0
    except ValueError:
        return False
