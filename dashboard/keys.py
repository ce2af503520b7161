"""Keys that people type into the board: whether such a thing can be shown to the API at all."""

import re
from typing import TypeGuard

_KEY = re.compile(r"[!-~]{8,200}")


def usable(key: object) -> TypeGuard[str]:
    """Whether it may be a key; anything else could not even be put into a header."""
    return isinstance(key, str) and _KEY.fullmatch(key.strip()) is not None


def cleaned(key: str) -> str:
    """Without the blanks that come with copying."""
    return key.strip()
