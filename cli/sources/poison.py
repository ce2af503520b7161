"""Events that nobody can decode, of the kinds that real producers manage to send."""

from collections.abc import Callable

Event = tuple[bytes, bytes]  # key, value
_DEPTH = 500
_LARGE_BYTES = 70_000  # over the size limit of an event, under that of a record


def poisoned(key: bytes, value: bytes, chance: float) -> Event:
    """A spoiled copy of a `trip.started` event under a trip id of its own; `chance`, from 0 to 1, chooses how."""
    own_key = key + b"-p"
    own_value = value.replace(b'"' + key + b'"', b'"' + own_key + b'"')
    return _KINDS[min(int(chance * len(_KINDS)), len(_KINDS) - 1)](own_key, own_value)


def _cut_short(key: bytes, value: bytes) -> Event:
    return key, value[: len(value) // 2]


def _no_json(key: bytes, _value: bytes) -> Event:
    return key, b"trip_id=" + key


def _wrong_type(key: bytes, value: bytes) -> Event:
    return key, value.replace(b'"vendor_id":', b'"vendor_id":"one","was":')


def _unknown_version(key: bytes, value: bytes) -> Event:
    return key, value.replace(b"trip.started.v1", b"trip.started.v9")


def _unknown_type(key: bytes, value: bytes) -> Event:
    return key, value.replace(b"trip.started.v1", b"trip.teleported.v1")


def _not_a_number(key: bytes, value: bytes) -> Event:
    return key, value.replace(b'"latitude":', b'"latitude":NaN,"was":')


def _not_text(key: bytes, value: bytes) -> Event:
    return key, value.replace(b'"trip_id":"', b'"trip_id":"\xff\xfe')


def _other_key(key: bytes, value: bytes) -> Event:
    return key + b"-other", value


def _deep(key: bytes, _value: bytes) -> Event:
    return key, b"[" * _DEPTH + b"]" * _DEPTH


def _large(key: bytes, value: bytes) -> Event:
    return key, value[:-1] + b',"note":"' + b"x" * _LARGE_BYTES + b'"}'


_KINDS: tuple[Callable[[bytes, bytes], Event], ...] = (
    _cut_short,
    _no_json,
    _wrong_type,
    _unknown_version,
    _unknown_type,
    _not_a_number,
    _not_text,
    _other_key,
    _deep,
    _large,
)
