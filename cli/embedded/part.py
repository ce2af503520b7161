"""A child process that logs to a file, has a real readiness check, and does not outlive the process that started it."""

import atexit
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol, Self

from mirakuru import Executor
from mirakuru.base import cleanup_subprocesses
from mirakuru.exceptions import ExecutorError, ProcessFinishedWithError

from cli.embedded.ports import HOST, is_open
from cli.embedded.system_user import as_unprivileged
from domain.errors import PartFailed, PortInUse

LARGEST_LOG_BYTES = 20_000_000
STOP_SECONDS = 20.0


class Part(Executor):
    """One child process in a session of its own, so that a Ctrl-C on the terminal reaches only us.

    `start()` blocks until `ready()` holds; `spawn()` does not. Both raise PortInUse when somebody else listens on one of
    `ports`. `ready` must answer within two seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ready: Callable[[], bool],
        ports: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        unprivileged: bool = False,
        stop_signal: signal.Signals = signal.SIGTERM,
        deadline_seconds: float = 60.0,
    ) -> None:
        """Describe the process; nothing is started."""
        # Mirakuru's last act in a process is to kill every process of the machine that is marked with a number which holds the
        # digits of its own process id: 244 kills the children of 12446. Ours die with their parent, or are reaped by marker.
        atexit.unregister(cleanup_subprocesses)
        self.name, self.log, self.ports = name, log, tuple(ports)
        self._ready = ready
        super().__init__(
            [*(as_unprivileged() if unprivileged else []), *_dying_with_parent(stop_signal), *command],
            timeout=deadline_seconds,
            sleep=0.05,
            stop_signal=stop_signal,
            envvars=dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    def spawn(self) -> Self:
        """Start without waiting for readiness."""
        for port in self.ports:
            if is_open(port):
                raise PortInUse(
                    f"{self.name} needs port {port} on {HOST}, which another process holds; stop that process first"
                )
        with _log_file(self.log) as log:
            self._stdout = log
            return super(Executor, self).start()

    def start(self) -> Self:
        """Start and wait until ready. Raises PartFailed, naming the log file."""
        self.spawn()
        try:
            self.wait_for(self.check_subprocess)
        except ExecutorError as error:
            raise PartFailed(f"{self.name} did not become ready; its log is {self.log}") from error
        return self

    def mark(self, name: str, value: str) -> None:
        """Add a variable to the environment of the process to be."""
        self._envvars[name] = value

    def stop(self, stop_signal: int | None = None, expected_returncode: int | None = None) -> Self:
        """Ask to end, wait, kill in the end. Exit codes after a signal differ by program (a JVM gives 143): no error."""
        self._timeout = STOP_SECONDS
        try:
            return super().stop(stop_signal, expected_returncode)
        except ProcessFinishedWithError:
            return self

    def pre_start_check(self) -> bool:
        """Whether somebody listens on our ports already."""
        return any(is_open(port) for port in self.ports)

    def after_start_check(self) -> bool:
        """Whether the process is alive and serves."""
        return self.running() and self._ready()

    def last_words(self) -> str:
        """The last line that the process has logged; empty when there is none."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def exit_code(self) -> int | None:
        """The exit code of an ended process; None while it runs or before it was started."""
        return None if self.process is None else self.process.poll()


class Embedded(Protocol):
    """An outside system that the local stack runs by itself."""

    @property
    def name(self) -> str:
        """The name for people: Kafka, PostgreSQL, MLflow."""
        ...

    def prepare(self) -> None:
        """Everything before the first start: downloads, formatting. Idempotent; may take minutes. Raises PartFailed."""
        ...

    def part(self) -> Part:
        """The process, described anew for each start."""
        ...

    def complete(self) -> None:
        """Everything after readiness: databases, users. Idempotent."""
        ...


def run_to_end(name: str, command: Sequence[str], log: Path) -> None:
    """Run a preparing program. Raises PartFailed, naming the log file."""
    with _log_file(log) as output:
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        raise PartFailed(f"preparing {name} failed with exit code {code}; its log is {log}")


def _dying_with_parent(stop_signal: signal.Signals) -> list[str]:
    setpriv = shutil.which("setpriv")  # util-linux; elsewhere the next start reaps what is left
    return [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if setpriv else []


def _log_file(path: Path) -> TextIOWrapper:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGEST_LOG_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return path.open("a", encoding="utf-8")
