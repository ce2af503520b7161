"""The passwords of the embedded PostgreSQL: generated once, readable by their owner alone."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """One `name=password` a line in a file of mode 0600."""

    path: Path

    def password(self, user: str) -> str:
        """The user's password, made up and kept when it is asked for first."""
        return self.kept(user, lambda: secrets.token_urlsafe(24))

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """The same for a secret of another form."""
        known = self._read()
        if name not in known:
            known[name] = make()
            write_private(self.path, "".join(f"{known_name}={secret}\n" for known_name, secret in known.items()))
        return known[name]

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return {name: password for name, _, password in (line.partition("=") for line in lines) if password}


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; nobody but the owner can read it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(path)
