"""The settings: every `TRIPCAST_*` variable of every role."""

import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from adapters.environment.settings import PREFIX, Settings
from cli.settings import roles
from docs._generate.markdown import code, join, table

NAMES = {
    int: "integer",
    float: "number",
    bool: "true or false",
    str: "text",
    datetime: "time",
    Path: "path",
    SecretStr: "secret",
}


@dataclass(slots=True)
class Known:
    """One variable; roles may differ in its default."""

    info: FieldInfo
    defaults: dict[str, str] = field(default_factory=dict)


def page() -> str:
    """The page."""
    found = every_setting()
    everywhere = set(Settings.model_fields)
    return join(
        "# Settings",
        "Every setting is an environment variable or a file of the folder of secrets; [connections](../connections.md) says "
        "which source wins. `tripcast config` shows the values in force, where each comes from, and names `TRIPCAST_*` "
        "variables that mean nothing. Secrets are masked wherever they are shown.",
        "## Of every role",
        _table(found, sorted(everywhere)),
        *(
            join(f"## {title}", _table(found, names))
            for title, names in _groups({name: known for name, known in found.items() if name not in everywhere})
        ),
    )


def every_setting() -> dict[str, Known]:
    """By the field's name."""
    found: dict[str, Known] = {}
    for role, kind in roles().items():
        for name, info in kind.model_fields.items():
            found.setdefault(name, Known(info)).defaults[role] = _default(info)
    return found


def _groups(found: dict[str, Known]) -> Iterator[tuple[str, list[str]]]:
    """One section for what several roles read, then one for each role's own."""
    yield "Of several roles", sorted(name for name, known in found.items() if len(known.defaults) > 1)
    for role in roles():
        own = sorted(name for name, known in found.items() if list(known.defaults) == [role])
        if own:
            yield f"Of `{role}` alone", own


def _table(found: dict[str, Known], names: Sequence[str]) -> str:
    return table(("setting", "type", "default", "meaning", "roles"), (_row(name, found[name]) for name in names))


def _row(name: str, known: Known) -> Sequence[str]:
    roles_of = "all" if len(known.defaults) == len(roles()) else ", ".join(known.defaults)
    kind = _kind(known.info.annotation) + _limits(known.info)
    return f"`{PREFIX}{name.upper()}`", kind, _defaults(known.defaults), known.info.description or "", roles_of


def _defaults(by_role: dict[str, str]) -> str:
    if len(set(by_role.values())) == 1:
        return next(iter(by_role.values()))
    return ", ".join(f"{role}: {default or 'chosen'}" for role, default in by_role.items())


def _default(info: FieldInfo) -> str:
    value = info.default
    if value is PydanticUndefined:
        return "depends on the machine" if info.default_factory else "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()  # a default is no secret: it is in the code
    if value is None or value == "":
        return ""
    return code(value.isoformat() if isinstance(value, datetime) else str(value).lower() if isinstance(value, bool) else value)


def _kind(annotation: object) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return ", ".join(code(each) for each in typing.get_args(annotation))
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_kind(each) for each in typing.get_args(annotation) if each is not type(None))
    if origin is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    return NAMES.get(annotation, str(getattr(annotation, "__name__", annotation)))  # type: ignore[call-overload,no-any-return]


def _limits(info: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [f"{words[name]} {getattr(each, name)}" for each in info.metadata for name in words if hasattr(each, name)]
    return f", {', '.join(found)}" if found else ""
