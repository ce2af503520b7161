"""What a person reads on a component: all its texts, without a browser."""

from collections.abc import Iterator
from typing import Any

from dash.development.base_component import Component


def texts(component: Any) -> set[str]:
    """Every string that is shown, wherever it is nested."""
    return set(_texts(component))


def _texts(found: Any) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, list | tuple):
        for each in found:
            yield from _texts(each)
    elif isinstance(found, Component):
        for name in ("children", "title", "data-error"):
            yield from _texts(getattr(found, name, None))
