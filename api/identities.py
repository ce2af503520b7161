"""Ids of predictions: UUIDs of version 7 (RFC 9562), so that rows that are made together lie together in their index."""

import os
import time
from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from domain.entities.served import UUID

VERSION, VARIANT = 0x7000, 0x8000_0000_0000_0000
RANDOM = 0x3FFF_FFFF_FFFF_FFFF


class Identities:
    """Makes ids that grow within this process: milliseconds, then 4,096 steps in each, then 62 random bits."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns, random: Callable[[int], bytes] = os.urandom) -> None:
        self._now_ns, self._random = now_ns, random
        self._last, self._lock = 0, Lock()

    def new(self, count: int) -> tuple[NDArray[np.void], list[str]]:
        """That many, as 16 bytes each, shape (n,), and as text."""
        now = self._now_ns()
        with self._lock:
            first = max(self._last + 1, (now // 1_000_000 << 12) | (now % 1_000_000 << 12) // 1_000_000)
            self._last = first + count - 1
        random = self._random(8 * count)
        digits = [_digits(first + row, random[8 * row : 8 * row + 8]) for row in range(count)]
        texts = [f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}" for d in digits]
        return np.frombuffer(bytes.fromhex("".join(digits)), dtype=UUID), texts


def _digits(step: int, random: bytes) -> str:
    head = (step >> 12 << 16) | VERSION | (step & 0xFFF)
    tail = VARIANT | (int.from_bytes(random) & RANDOM)
    return f"{head:016x}{tail:016x}"
