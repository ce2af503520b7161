"""How far the closed loop is, as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoopProgress:
    """`next_offsets`: records below them are taken in. Minutes are of event time, since 1970.

    `open_requests`: not answered, or the answer is not learnt. `champion`, `shadow`: as the loop knows them, None: nobody.
    """

    next_offsets: Mapping[int, int]
    newest_minute: int | None
    closed_until: int | None
    open_requests: int
    champion: int | None
    shadow: int | None
