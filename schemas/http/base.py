"""What the other types of the HTTP contract are made of.

Answers may gain fields: a reader ignores what it does not know. Requests may not hold a field that we do not know.
"""

from typing import Annotated, Literal

import msgspec

from schemas.events import Instant, Latitude, Longitude, Point, Small

__all__ = ["Answer", "Instant", "Latitude", "Longitude", "Metric", "Period", "Point", "Role", "Small", "Title"]

Title = Annotated[str, msgspec.Meta(min_length=1)]
Metric = Literal["trips", "predicted", "error"]  # what the map shows: trips a minute, mean predicted minutes, MAE in minutes
Role = Literal["champion", "challenger"]
Period = Literal["5m", "15m", "1h", "24h", "all"]  # of wall time; of event time: what the stream told in it


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of everything that the API answers with."""
