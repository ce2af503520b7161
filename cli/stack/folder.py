"""The data folder of a local stack: its lock, its kept ports, and what it leaves for commands in other terminals."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from adapters.environment.settings import STACK_FILE
from cli.embedded.ports import free_ports, is_free
from cli.embedded.secrets import Secrets, write_private
from domain.errors import InvalidInput, StackRunning

PRIVATE = 0o700  # the embedded PostgreSQL lets its own user pass, where root has started it


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths and state below one absolute path."""

    path: Path

    @property
    def secrets(self) -> Secrets:
        """The passwords."""
        return Secrets(self.path / "secrets.env")

    def log(self, name: str) -> Path:
        """The log file of a part or role."""
        return self.path / "logs" / f"{name.lower()}.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises StackRunning naming who holds it; a killed holder holds nothing."""
        self._create()
        with (self.path / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackRunning(_running_text(self.path, _whole(lock))) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def holder(self) -> str | None:
        """The process id of the stack that runs on this folder; None when none does."""
        path = self.path / "lock"
        if not path.exists():
            return None
        with path.open(encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _whole(lock).strip()
        return None

    @property
    def marker(self) -> str:
        """What the environment of every child of a stack on this folder carries, and of no other process."""
        state = self._state()
        if "id" not in state:
            state["id"] = uuid.uuid4().hex
            self._keep(state)
        return f"{state['id']}@{self.path}"

    def port(self, name: str, preferred: int | None = None) -> int:
        """The port that was chosen for this name; chosen now when there is none: the preferred one when it is free."""
        state = self._state()
        ports = state.setdefault("ports", {})
        if name not in ports:
            known = [preferred] if preferred is not None and is_free(preferred) else []
            ports[name] = next(port for port in (*known, *free_ports(len(ports) + 1)) if port not in ports.values())
            self._keep(state)
        return int(ports[name])

    def ports(self) -> dict[str, int]:
        """All ports that were chosen so far."""
        return {name: int(port) for name, port in self._state().get("ports", {}).items()}

    def choose_port_anew(self, name: str, preferred: int | None = None) -> int:
        """Forget the kept port, because somebody else has taken it."""
        state = self._state()
        state.get("ports", {}).pop(name, None)
        self._keep(state)
        return self.port(name, preferred)

    def is_done(self, step: str) -> bool:
        """Whether a step that must happen once in this folder's life has happened."""
        return step in self._state().get("done", [])

    def mark_done(self, step: str) -> None:
        """Remember it."""
        state = self._state()
        state["done"] = sorted({*state.get("done", []), step})
        self._keep(state)

    def publish(self, addresses: Mapping[str, str]) -> None:
        """Leave the addresses, passwords included, for other commands of the same user."""
        header = "# Written by `tripcast up`: how other commands find this stack. The environment and .env win over it.\n"
        write_private(self.path / STACK_FILE, header + "".join(f"{name}='{value}'\n" for name, value in addresses.items()))

    def _create(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        except OSError as error:
            raise InvalidInput(f"the data folder {self.path} cannot be created: {error.strerror}") from error

    def _state(self) -> dict[str, Any]:
        path = self.path / "stack.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def _keep(self, state: Mapping[str, Any]) -> None:
        write_private(self.path / "stack.json", json.dumps(state, indent=2) + "\n")


def _whole(file: TextIO) -> str:
    file.seek(0)
    return file.read()


def _running_text(path: Path, pid: str) -> str:
    who = f"process {pid.strip()}" if pid.strip() else "another process"
    return f"a local stack already runs on {path} ({who}): stop it, or choose another folder with --data"
