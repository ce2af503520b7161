"""Kafka's default partitioner over many keys at once, so that a key lands where every other Kafka client puts it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SEED = 0x9747B28C
_MULTIPLIER = np.uint32(0x5BD1E995)
_WORD = 4


def partitions_of(keys: Sequence[bytes], count: int) -> NDArray[np.intp]:
    """Shape (n,): the partition, from 0 to count - 1, of each key, as `murmur2(key) & 0x7fffffff % count` gives it."""
    return np.asarray((murmur2(keys) & np.uint32(0x7FFFFFFF)) % np.uint32(count), dtype=np.intp)


def murmur2(keys: Sequence[bytes]) -> NDArray[np.uint32]:
    """Shape (n,): MurmurHash2 (32 bit, Kafka's seed) of each key, which may be empty; the arithmetic wraps on purpose."""
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    width = int(lengths.max(initial=1))
    width += -width % _WORD
    octets = np.array(keys, dtype=f"S{width}").view(np.uint8).reshape(len(keys), width)
    hashed = np.uint32(_SEED) ^ lengths.astype(np.uint32)
    words = octets.view("<u4")
    for number in range(width // _WORD):
        whole = lengths >= (number + 1) * _WORD
        hashed = np.where(whole, (hashed * _MULTIPLIER) ^ _mixed(words[:, number]), hashed)
    hashed = _with_tail(hashed, octets, lengths)
    hashed ^= hashed >> np.uint32(13)
    hashed *= _MULTIPLIER
    hashed ^= hashed >> np.uint32(15)
    return np.asarray(hashed, dtype=np.uint32)


def _mixed(word: NDArray[np.uint32]) -> NDArray[np.uint32]:
    word = word * _MULTIPLIER
    word ^= word >> np.uint32(24)
    return word * _MULTIPLIER


def _with_tail(hashed: NDArray[np.uint32], octets: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Fold in the last one to three bytes of the keys whose length is no multiple of four."""
    rest = lengths % _WORD
    if not rest.any():
        return hashed
    rows, start = np.arange(len(lengths)), lengths - rest
    tail = np.zeros_like(hashed)
    for position in range(_WORD - 1):
        octet = octets[rows, np.minimum(start + position, octets.shape[1] - 1)].astype(np.uint32)
        tail |= np.where(position < rest, octet << np.uint32(8 * position), np.uint32(0))
    return np.asarray(np.where(rest > 0, (hashed ^ tail) * _MULTIPLIER, hashed), dtype=np.uint32)
