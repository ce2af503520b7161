"""Events that nobody can use: each kind, with the reason for which the worker must refuse it."""

from collections.abc import Callable

from domain.entities.rejections import Reason
from tests.chaos.load import Record

Spoil = Callable[[bytes, bytes], Record]  # of the key and the value of a good event
FIVE_MEGABYTES = 5_000_000


def _field(name: bytes, value: bytes) -> Spoil:
    """The same event with another value of this field; what was there is kept under a name that nobody reads."""
    return lambda key, good: (key, good.replace(b'"%s":' % name, b'"%s":%s,"was_%s":' % (name, value, name)))


KINDS: dict[str, tuple[Reason, Spoil]] = {
    "bad JSON": (Reason.INVALID_JSON, lambda key, good: (key, good[:-1])),
    "wrong type": (Reason.INVALID_SCHEMA, _field(b"vendor_id", b'"two"')),
    "NaN": (Reason.INVALID_JSON, _field(b"vendor_id", b"NaN")),
    "huge number": (Reason.INVALID_SCHEMA, _field(b"vendor_id", b"1e400")),
    "5 MB": (Reason.TOO_LARGE, lambda key, good: (key, good + b" " * FIVE_MEGABYTES)),
    "unknown type": (Reason.UNKNOWN_TYPE, _field(b"type", b'"trip.cancelled.v1"')),
    "unknown version": (Reason.UNKNOWN_VERSION, _field(b"type", b'"trip.started.v9"')),
    "null key": (Reason.NULL_KEY, lambda _key, good: (None, good)),
    "null value": (Reason.NULL_VALUE, lambda key, _good: (key, None)),
    "another's key": (Reason.KEY_MISMATCH, lambda key, good: (key + b"x", good)),
    "deep nesting": (Reason.INVALID_JSON, lambda key, _good: (key, b"[" * 60_000)),
    "invalid UTF-8": (Reason.INVALID_UTF8, lambda key, _good: (key, b'{"type":"\xff"}')),
    "NUL in the id": (Reason.TRIP_ID_INVALID, lambda key, good: (b"\x00", good.replace(b'"%s"' % key, b'"\\u0000"'))),
    "another continent": (
        Reason.OUTSIDE_SERVICE_AREA,
        lambda key, good: (key, good.replace(b'"longitude":-', b'"longitude":')),
    ),
}
