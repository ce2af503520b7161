"""The passwords of the embedded PostgreSQL: generated once, readable by their owner alone."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """One `name=password` a line in a file of mode 0600."""

    path: Path

    def password(self, user: str) -> str:
        """The user's password, made up and kept when it is asked for first."""
        known = self._read()
        if user not in known:
            known[user] = secrets.token_urlsafe(24)
            write_private(self.path, "".join(f"{name}={password}\n" for name, password in known.items()))
        return known[user]

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
