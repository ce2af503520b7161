"""What PostgreSQL can store of values from outside: text without NUL, JSON without NaN."""

import json
import math


def text(value: str) -> str:
    """The text with NUL and halves of surrogate pairs replaced, which PostgreSQL's text cannot hold."""
    return value.replace("\x00", "\ufffd").encode(errors="replace").decode()


def as_json(value: object) -> str:
    """JSON that jsonb takes: texts as in `text`, numbers that are none as null, unknown types as their text."""
    return json.dumps(_clean(value))


def _clean(value: object) -> object:
    match value:
        case str():
            return text(value)
        case dict():
            return {text(str(name)): _clean(item) for name, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int():
            return value
        case _:
            return text(str(value))
