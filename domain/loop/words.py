"""Numbers as an operator would say them."""

from collections.abc import Sequence
from math import expm1


def share_change(log_ratio: float) -> str:
    """A shift of ln(actual / predicted), as how much longer or shorter trips take."""
    change = expm1(log_ratio)
    return f"trips take {abs(change):.0%} {'longer' if change >= 0 else 'shorter'} than normal for this version"


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
