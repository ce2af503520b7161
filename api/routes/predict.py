"""`POST /predict` and `POST /predict/batch`: past FastAPI's reading of parameters, which costs more than the prediction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from api.answers import encode
from api.openapi import Operations, operation
from api.predict import Predictor
from api.requests import decode
from schemas.http.predictions import BatchPrediction, BatchRequest, Prediction, PredictionRequest

ONE, MANY = "/predict", "/predict/batch"
CONTENT_TYPE = (b"content-type", b"application/json")

Predict = Callable[[bytes, str | None], Awaitable[bytes]]


def predict_routes(predictor: Predictor) -> list[BaseRoute]:
    """Two routes."""
    one, many = msgspec.json.Decoder(PredictionRequest), msgspec.json.Decoder(BatchRequest)

    async def predict(body: bytes, key_id: str | None) -> bytes:
        return encode(await predictor.ask(decode(one, body), key_id))

    async def predict_batch(body: bytes, key_id: str | None) -> bytes:
        return encode(await predictor.batch(decode(many, body).trips, key_id))

    return [
        Route(ONE, Endpoint(ONE, predict), methods=["POST"], name="predict"),
        Route(MANY, Endpoint(MANY, predict_batch), methods=["POST"], name="predict_batch"),
    ]


def predict_operations() -> Operations:
    """How the document describes them."""
    one = "Predict how long a trip will take, with a 90% interval. The prediction is logged; its id finds it again."
    many = "Predict up to 10,000 trips with one model version: all of them, or none."
    return {
        ONE: {"post": {"tags": ["predict"], **operation("predict", "Predict", one, kind=Prediction, body=PredictionRequest)}},
        MANY: {
            "post": {
                "tags": ["predict"],
                **operation("predict_batch", "Predict Batch", many, kind=BatchPrediction, body=BatchRequest),
            }
        },
    }


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Body in, JSON out; every error goes to whoever handles those of all routes."""

    path: str
    predict: Predict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["state"]["route"] = self.path  # for the metrics: the router names only FastAPI's own
        body = await _body(receive)
        content = await self.predict(body, scope["state"]["caller"].key_id)
        headers = [CONTENT_TYPE, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def _body(receive: Receive) -> bytes:
    """All of it; what stands before all routes sees to it that it is not too much."""
    body = b""
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        body = body + part if body else part
        if not message.get("more_body", False):
            return body
