"""Where each setting's value comes from, and which `TRIPCAST_*` names mean nothing."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import SecretStr

from adapters.environment.settings import DOTENV, PREFIX, STACK_FILE, SecretFiles, Settings, secrets_folder

MASK = "********"
LOGIN = re.compile(r"://([^:/@]*):\S*@")  # a password that somebody put into an address

Origin = Literal["environment", ".env", "secret file", "stack.env", "default"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as `tripcast config` shows it; a secret's value is masked."""

    name: str
    value: str
    origin: Origin
    description: str
    roles: tuple[str, ...]


def all_settings(data: Path, roles: Mapping[str, type[Settings]]) -> list[Setting]:
    """Every setting of every role, by name. Raises InvalidInput naming the variables that are wrong."""
    found: dict[str, Setting] = {}
    for role, kind in roles.items():
        values = kind.read(data=data)
        for field, info in kind.model_fields.items():
            name = f"{PREFIX}{field.upper()}"
            known = found[name].roles if name in found else ()
            value = _shown(getattr(values, field))
            found[name] = Setting(name, value, origin_of(name, data), info.description or "", (*known, role))
    return [found[name] for name in sorted(found)]


def origin_of(name: str, data: Path) -> Origin:
    """Which source wins for this variable."""
    if os.environ.get(name):
        return "environment"
    if _file(DOTENV).get(name):
        return ".env"
    if _secret_file(name):
        return "secret file"
    return "stack.env" if _file(data / STACK_FILE).get(name) else "default"


def set_by_the_user(field: str, data: Path) -> bool:
    """Whether the environment, a `.env` file or a secret file gives this setting; what a running local stack left does not."""
    return origin_of(f"{PREFIX}{field.upper()}", data) in ("environment", ".env", "secret file")


def unknown_names(roles: Iterable[type[Settings]]) -> dict[str, str | None]:
    """`TRIPCAST_*` names that no role reads, wherever they are set, each with the known name that was perhaps meant."""
    known = {f"{PREFIX}{field.upper()}" for kind in roles for field in kind.model_fields}
    given = {name for name in (*os.environ, *_file(DOTENV), *_secret_names()) if name.startswith(PREFIX)}
    return {name: _closest(name, known) for name in sorted(given - known)}


def _closest(name: str, known: set[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.8)), None)


def _file(path: Path) -> dict[str, str | None]:
    return dict(dotenv_values(path)) if path.is_file() else {}


def _secret_names() -> set[str]:
    folder = secrets_folder()
    return {path.name.upper() for path in folder.iterdir() if path.is_file()} if folder else set()


def _secret_file(name: str) -> bool:
    """Whether a file that is not empty gives this setting."""
    folder = secrets_folder()
    path = SecretFiles.find_case_path(folder, name.lower(), case_sensitive=False) if folder else None
    return path is not None and path.is_file() and bool(path.read_text(encoding="utf-8").strip())


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK
    return "" if value is None else LOGIN.sub(rf"://\1:{MASK}@", str(value))
