"""The traces that a producer begins: of a few trips, chosen by chance, all of them sampled."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from schemas.events import TripStarted
from schemas.headers import TRACEPARENT

Headers = Sequence[tuple[str, bytes | None]]

STARTED = str(TripStarted.__struct_config__.tag).encode()


@dataclass(frozen=True, slots=True)
class Tracing:
    """`share`: of the trips. The others carry no header: a trace that nobody looks at is only bytes."""

    share: float
    chance: np.random.Generator = field(default_factory=np.random.default_rng)

    def headers(self, values: Sequence[bytes]) -> list[Headers] | None:
        """For each event; None where no event has any."""
        chosen = np.flatnonzero(self.chance.random(len(values)) < self.share).tolist()
        starts = [row for row in chosen if STARTED in values[row]]
        if not starts:
            return None
        headers: list[Headers] = [()] * len(values)
        for row in starts:
            headers[row] = ((TRACEPARENT, new_traceparent().encode()),)
        return headers


def new_traceparent() -> str:
    """Of a trace that begins now, and is sampled."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
