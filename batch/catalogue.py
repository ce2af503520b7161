"""Which candidates there are: ours, those of installed packages, and those in modules and files that the setting names."""

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from batch import candidates
from batch.candidate import Candidate
from batch.plugins import Plugin, from_entry_point, from_file, from_module
from domain.errors import InvalidInput

ALL = "all"
GROUP = "tripcast.candidates"  # the entry points of installed packages


def discover() -> list[Candidate]:
    """Every `CANDIDATE` in our folder, by file name."""
    return [module.CANDIDATE for module in _modules()]


def installed() -> list[EntryPoint]:
    """What installed packages offer, by name; nothing of it is loaded."""
    return sorted(entry_points(group=GROUP), key=lambda each: each.name)


def chosen(names: str) -> list[Candidate]:
    """The candidates that `names` lists, separated by commas. Raises InvalidInput.

    Each is a name, `all` (ours and those of installed packages), a file that ends in `.py`, or a module `package.module`.
    `<name>-quick` is our candidate's own cheaper settings, where its file has a `QUICK`.
    """
    found: dict[str, Candidate] = {}
    for wanted in names.split(","):
        for candidate in _wanted(wanted.strip()):
            _add(candidate, found)
    return list(found.values())


def _wanted(name: str) -> Iterator[Candidate]:
    if name == ALL:
        yield from discover()
        yield from (from_entry_point(entry) for entry in installed())
    elif name.endswith(".py"):
        yield from_file(Path(name))
    elif "." in name:
        yield from_module(name)
    else:
        yield _named(name)


def _named(name: str) -> Candidate:
    known = {each.name: each for each in discover()}
    known |= {f"{module.CANDIDATE.name}-quick": module.QUICK for module in _modules() if hasattr(module, "QUICK")}
    if name in known:
        return known[name]
    offered = {entry.name: entry for entry in installed()}
    if name in offered:
        return from_entry_point(offered[name])
    raise InvalidInput(f"no candidate is called {name!r}; there are {', '.join([*known, *offered])}, or {ALL}")


def _add(candidate: Candidate, found: dict[str, Candidate]) -> None:
    """Two under one name could not be told apart in the record; also not from ours, when those do not compete this time."""
    ours = {each.name: each for each in discover()}
    other = found.get(candidate.name, ours.get(candidate.name) if isinstance(candidate, Plugin) else None)
    if other is not None and other != candidate and isinstance(candidate, Plugin):
        theirs = other.origin.source if isinstance(other, Plugin) else type(other).__module__
        raise InvalidInput(f"{candidate.origin.source}: the name {candidate.name!r} is taken by {theirs}; choose another")
    found[candidate.name] = candidate


def _modules() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(candidates.__path__))
    return [importlib.import_module(f"{candidates.__name__}.{name}") for name in names]
