"""The HTTP API: every route and type, from its own OpenAPI document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from api.bootstrap import create_app
from api.settings import ApiSettings
from docs._generate.fields import fields, kind
from docs._generate.markdown import block, code, join, json_block, sentence, table
from schemas.http.predictions import BatchRequest, PredictionRequest
from schemas.http.trips import ReplayRequest

NOWHERE = {"database": "postgresql://nobody@127.0.0.1:1/none", "kafka": "127.0.0.1:1", "mlflow": "http://127.0.0.1:1"}
BASE = "http://127.0.0.1:8000"
TRIP = {
    "vendor_id": 1,
    "passenger_count": 2,
    "pickup_at": "2025-03-14T17:30:00-04:00",
    "pickup": {"latitude": 40.7527, "longitude": -73.9772},
    "dropoff": {"latitude": 40.6413, "longitude": -73.7781},
}
BODIES: dict[str, tuple[type[msgspec.Struct], Any]] = {
    "PredictionRequest": (PredictionRequest, TRIP),
    "BatchRequest": (BatchRequest, {"trips": [TRIP]}),
    "ReplayRequest": (ReplayRequest, {"ids": [1, 2]}),
}
VALUES = {"{trip_id}": "trip-4711", "{signal}": "log_ratio", "{dead_letter_id}": "1"}
OF_EVERY_ROUTE = ("401", "429", "503")
SUCCESS = 2
METHODS = ("get", "post", "put", "patch", "delete")


def page() -> str:
    """The page."""
    document = openapi()
    return join(
        "# HTTP API",
        "Every route, parameter and type. Keys, limits, problems and health are explained in [the API](../api.md). A running "
        "API has the same at `/openapi.json`, and `/docs` to try it.",
        "Any route may answer 401 (a key is missing or not valid), 429 (asked too often) and 503 (it cannot be answered now, "
        "with `Retry-After`) with a [Problem](#problem); other problems are listed with their route.",
        "## Routes",
        table(("route", "what it does"), map(_line, _operations(document))),
        *(_operation(path, method, operation) for path, method, operation in _operations(document)),
        "## Types",
        "Unknown fields of an answer are to be ignored: new ones may come. Unknown fields of a request are refused.",
        *(_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
    )


def openapi() -> dict[str, Any]:
    """The document that a running API serves, made without starting one."""
    return create_app(ApiSettings.model_validate(NOWHERE)).openapi()


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method.upper(), methods[method]


def _line(found: tuple[str, str, Any]) -> Sequence[str]:
    path, method, operation = found
    anchor = f"{method} {path}".lower()
    anchor = "".join(letter for letter in anchor if letter.isalnum() or letter in " -_").replace(" ", "-")
    return f"[`{method} {path}`](#{anchor})", sentence(operation.get("description") or operation["summary"])


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    return join(
        f"### {method} {path}",
        sentence(operation.get("description") or operation["summary"]),
        "Only with an operator's key." if operation.get("security") else "",
        table(("parameter", "in", "type", "meaning"), map(_parameter, operation.get("parameters", ()))),
        _takes(operation),
        table(("status", "answer"), _answers(operation)),
        block(_curl(path, method, operation), "bash"),
    )


def _parameter(parameter: Mapping[str, Any]) -> Sequence[str]:
    schema = parameter["schema"]
    default = f" Default: `{schema['default']}`." if schema.get("default") is not None else ""
    needed = "" if parameter.get("required") else ", optional"
    return (
        code(parameter["name"]),
        parameter["in"] + needed,
        kind(schema),
        sentence(parameter.get("description", "")) + default,
    )


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return str(reference).rsplit("/", 1)[-1]


def _takes(operation: Mapping[str, Any]) -> str:
    return f"Takes a [{_body(operation)}](#{_body(operation).lower()})." if _body(operation) else ""


def _answers(operation: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for status, response in operation["responses"].items():
        if status not in OF_EVERY_ROUTE:
            yield status, _answer(int(status), response)


def _answer(status: int, response: Mapping[str, Any]) -> str:
    types = [kind(content["schema"]) for content in response.get("content", {}).values() if content.get("schema")]
    if status // 100 == SUCCESS:
        return ", ".join(types) or response["description"]
    return response["description"] or HTTPStatus(status).phrase


def _curl(path: str, method: str, operation: Mapping[str, Any]) -> str:
    for name, value in VALUES.items():
        path = path.replace(name, value)
    lines = [f"curl -s {BASE}{path}"]
    if method != "GET" and not _body(operation):
        lines.append(f"-X {method}")
    if operation.get("security"):
        lines.append('-H "X-API-Key: $TRIPCAST_OPERATOR_KEY"')
    if _body(operation):
        lines.append(f"-H 'Content-Type: application/json' \\\n  -d '{json.dumps(example(_body(operation)))}'")
    return " ".join(lines)


def example(name: str) -> object:
    """A body of this type, one that decodes."""
    type_, value = BODIES[name]
    msgspec.json.decode(json.dumps(value), type=type_)
    return value


def _type(name: str, schema: Mapping[str, Any]) -> str:
    shown = json_block(example(name)) if name in BODIES else ""
    return join(f"### {name.strip('_')}", sentence(schema.get("description", "")), fields(schema), shown)
