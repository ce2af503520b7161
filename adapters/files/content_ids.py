"""Ids for rows that have none: the hash of what the row says, so that the same file always gives the same ids.

Rows that say the same are numbered in the file's order (`-2`, `-3`, ...), so that each is kept, and again the same when
the file is read twice. Memory: 8 bytes a row of the file, for noticing a repeat.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Strings

_DIGEST_BYTES = 10


class ContentIds:
    """Names the rows of one file, stretch by stretch, in order."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen = _SortedRuns()
        self._repeats: dict[bytes, int] = {}

    def of(self, columns: Sequence[NDArray[np.generic]]) -> Strings:
        """Shape (n,): an id for each row. The columns, each of shape (n,) and 8 bytes a cell, are all that makes a row."""
        table = np.column_stack([np.ascontiguousarray(column).view(np.uint64) for column in columns])
        content, width = table.astype("<u8").tobytes(), table.shape[1] * 8
        digests = [
            hashlib.blake2b(content[start : start + width], digest_size=_DIGEST_BYTES).digest()
            for start in range(0, len(content), width)
        ]
        ids = np.empty(len(digests), dtype=object)
        ids[:] = [f"{self._prefix}-{digest.hex()}" for digest in digests]
        short = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST_BYTES)[:, :8].copy().view("<u8").ravel()
        for row in np.flatnonzero(self._seen.add(short)).tolist():
            ids[row] = f"{ids[row]}-{self._next_number(digests[row])}"
        return ids

    def _next_number(self, digest: bytes) -> int:
        self._repeats[digest] = self._repeats.get(digest, 1) + 1
        return self._repeats[digest]


class _SortedRuns:
    """A set of 64-bit hashes, 8 bytes each: sorted runs of doubling size, merged as they grow equal."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Mask of shape (n,): the hash was there already, or stands earlier in this very array."""
        fresh, first = np.unique(hashes, return_index=True)
        known = np.ones(len(hashes), dtype=np.bool_)
        known[first] = False
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            known |= run[place] == hashes
        self._merge(fresh)
        return known

    def _merge(self, run: NDArray[np.uint64]) -> None:
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.union1d(self._runs.pop(), run)
        self._runs.append(run)
