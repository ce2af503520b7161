"""Attributes of HTML elements whose names Python cannot write."""

from typing import Any


def attributes(**named: object) -> dict[str, Any]:
    """`data_state` becomes `data-state`, `aria_label` becomes `aria-label`; a truth is written as HTML writes it."""
    return {name.replace("_", "-"): _written(value) for name, value in named.items()}


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
