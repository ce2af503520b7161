"""Read a `traceparent` header, W3C Trace Context level 2: what does not keep to it is as good as none."""

import re
from collections.abc import Sequence

from schemas.headers import TRACEPARENT

LENGTH = 55
FLAGS_AT, SAMPLED = 53, 1
# A later version may append fields; the four that we know stand first in every version but ff, which is none.
_FIELDS = rb"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_VALID = re.compile(rb"00-%b|(?!00|ff)[0-9a-f]{2}-%b(?:-.*)?" % (_FIELDS, _FIELDS), re.DOTALL)


def traceparent_of(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """The header's first 55 characters, all that its fields take; None where there is no valid one, or more than one."""
    found = [value for name, value in headers if name == TRACEPARENT]
    if len(found) != 1 or found[0] is None or not _VALID.fullmatch(found[0]):
        return None
    return found[0][:LENGTH].decode("ascii")


def is_sampled(traceparent: str) -> bool:
    """Whether its producer wants the trace to be looked at."""
    return bool(int(traceparent[FLAGS_AT:], 16) & SAMPLED)


def trace_id(traceparent: str) -> str:
    """Of the whole trace, 32 hexadecimal digits."""
    return traceparent[3:35]
