"""The OpenAPI document: FastAPI's list of routes, with the schemas of `schemas.http` as msgspec tells them."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import schemas.http
from schemas.http.base import Answer
from schemas.http.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{name}"
ALWAYS = (401, 429, 503)  # any route may want a key, be asked too often, or be asked too much at once
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key as `tripcast keys create` shows it once."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in another header."},
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}}}
WORDS = {
    401: "A key is missing or is not valid.",
    403: "The key is not an operator's.",
    404: "There is no such thing.",
    409: "Another process makes the same change.",
    413: "The request body is too large.",
    422: "The request cannot be used as it is.",
    429: "Asked too often.",
    503: "It cannot be answered now.",
}

Operations = dict[str, dict[str, Any]]  # path -> method -> operation


def documented(
    kind: Any,  # noqa: ANN401 - any type that msgspec knows; None: there is no content
    *,
    problems: Sequence[int] = (),
    empty: Mapping[int, str] | None = None,
    body: Any = None,  # noqa: ANN401
    operator: bool = False,
    status: int = 200,
) -> dict[str, Any]:
    """Arguments for a route: `@router.get("/quality", **documented(Quality, problems=(422,)))`.

    `kind` is what it answers with, `problems` the statuses of its problems (those of ALWAYS come by themselves), `empty` the
    statuses without content and what each means, `body` what it takes. `operator`: only with an operator's key.
    """
    responses: dict[int | str, dict[str, Any]] = {status: _with_content(kind)} if kind is not None else {}
    responses |= {code: {"description": words} for code, words in (empty or {}).items()}
    codes = {*ALWAYS, *problems, *((403,) if operator else ()), *((413, 422) if body is not None else ())}
    responses |= {code: _problem(code) for code in sorted(codes)}
    extra: dict[str, Any] = {}
    if operator:
        extra["security"] = [{"bearer": []}, {"header": []}]
    if body is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(body)}}}
    return {"responses": responses, "openapi_extra": extra, "status_code": status}


def operation(name: str, summary: str, description: str, **about: Any) -> dict[str, Any]:  # noqa: ANN401 - as `documented`
    """The same for a route that goes past FastAPI."""
    told = documented(**about)
    responses = {str(code): response for code, response in told["responses"].items()}
    words = {"summary": summary, "description": description, "operationId": name}
    return {**words, "responses": responses, **told["openapi_extra"]}


def describe(app: FastAPI, operations: Operations) -> None:
    """Make the app's document hold the components of the contract, and `operations` of routes that go past FastAPI."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, operations)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, operations: Operations) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, components = msgspec.json.schema_components(list(_contract()), ref_template=REF)
    document["paths"] = {**operations, **document.get("paths", {})}
    parts = document.setdefault("components", {})
    parts["schemas"] = {**parts.get("schemas", {}), **components}
    parts["securitySchemes"] = SECURITY
    return document


def _contract() -> Iterator[type]:
    """Every type of the HTTP contract."""
    found: dict[type, None] = {}
    for module in pkgutil.iter_modules(schemas.http.__path__):
        members = vars(importlib.import_module(f"schemas.http.{module.name}")).values()
        found |= dict.fromkeys(each for each in members if _is_concrete(each))
    yield from found


def _is_concrete(member: object) -> bool:
    if not (isinstance(member, type) and issubclass(member, msgspec.Struct)) or member in {Answer, msgspec.Struct}:
        return False
    return not getattr(member, "__parameters__", ())


def _with_content(kind: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"description": "As asked.", "content": {"application/json": {"schema": _reference(kind)}}}


def _problem(status: int) -> dict[str, Any]:
    told: dict[str, Any] = {"description": WORDS[status], "content": {MEDIA_TYPE: {"schema": _reference(Problem)}}}
    return told | ({"headers": RETRY_AFTER} if status in {429, 503} else {})


def _reference(kind: Any) -> dict[str, Any]:  # noqa: ANN401
    (reference,), _ = msgspec.json.schema_components([kind], ref_template=REF)
    return reference
