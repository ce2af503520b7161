"""Read a policy of the closed loop from a TOML file; what the file leaves out keeps its default."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from domain.errors import InvalidInput
from domain.policy import Policy


def read_policy(path: Path | None) -> Policy:
    """The policy in that file; the default policy without one. Raises InvalidInput that names every wrong line."""
    if path is None:
        return Policy()
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise InvalidInput(f"the policy {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the policy {path} is not TOML: {error}") from error
    return policy_of(content, str(path))


def policy_of(content: Mapping[str, object], name: str) -> Policy:
    """The policy that a parsed file describes. Raises InvalidInput."""
    try:
        policy = TypeAdapter(Policy).validate_python(_over(asdict(Policy()), content))
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise InvalidInput(f"the policy {name}: {'; '.join(wrong)}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error
    if unknown := list(_unknown(content, asdict(policy))):
        raise InvalidInput(f"the policy {name}: {'; '.join(unknown)}")
    return policy


def _over(defaults: Mapping[str, Any], given: Mapping[str, object]) -> dict[str, Any]:
    """What is given over the defaults, table by table: one line about a table leaves the rest of it as it is."""
    merged = dict(defaults)
    for name, value in given.items():
        known = defaults.get(name)
        merged[name] = _over(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


def _unknown(given: object, known: object, place: str = "") -> Iterator[str]:
    """Names that the policy does not have: they would be ignored, and somebody would wonder why nothing changes."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        for name, value in given.items():
            if name in known:
                yield from _unknown(value, known[name], f"{place}{name}.")
            else:
                close = get_close_matches(name, known, n=1)
                yield f"{place}{name} is not a part of a policy{f'; did you mean {close[0]}?' if close else ''}"
    elif isinstance(given, list) and isinstance(known, (list, tuple)):
        for number, (value, other) in enumerate(zip(given, known, strict=True)):
            yield from _unknown(value, other, f"{place}{number}.")
