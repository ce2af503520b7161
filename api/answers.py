"""Structs of the HTTP contract to responses; FastAPI's own encoder would take many times as long."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

JSON = "application/json"

encode = msgspec.json.Encoder().encode


def answer(content: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response of one of the types in `schemas.http`."""
    return Response(encode(content), status, headers, JSON)
