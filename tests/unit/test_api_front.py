"""What stands before every route: keys, limits, caps, deadlines, ids and headers; problems for everything that is not 2xx."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import APIRouter, Depends
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from structlog.testing import capture_logs

from api.auth import Caller, operator
from api.auth import caller as who_asks
from domain.entities.api_keys import NewKey, StoredKey, new_key
from domain.errors import ConcurrentUpdate, DatabaseUnreachable, InvalidInput, UnknownVersion
from tests.fakes.served import FixedKeys
from tests.serving import TRIP, Api, Fakes, serving, until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def stored(key: NewKey, *, may_operate: bool = False) -> StoredKey:
    return StoredKey(key.key_id, "somebody", key.sha256, may_operate, datetime.now(UTC))


def bearer(key: NewKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.token}"}


def errors() -> APIRouter:
    router = APIRouter()
    raised: dict[str, Exception] = {
        "input": InvalidInput("the period is no period"),
        "version": UnknownVersion("there is no version 7"),
        "busy": ConcurrentUpdate("somebody else does it"),
        "away": DatabaseUnreachable("PostgreSQL at db: refused"),
        "bug": ZeroDivisionError("secret detail"),
        "timeout": TimeoutError("of its own"),
    }

    @router.get("/raise/{name}")
    async def fail(name: str) -> Response:
        raise raised[name]

    @router.get("/number/{number}")
    async def number(number: int, least: int = 0) -> Response:
        return PlainTextResponse(str(number + least))

    @router.get("/who")
    async def who(found: Caller = Depends(who_asks)) -> Response:  # noqa: B008 - FastAPI's way
        return PlainTextResponse(found.key_id or "nobody")

    @router.post("/change", dependencies=[Depends(operator)])
    async def change() -> Response:
        return PlainTextResponse("changed")

    @router.get("/slow")
    async def slow() -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    @router.get("/half")
    async def half() -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half of "
            raise ZeroDivisionError

        return StreamingResponse(parts())

    return router


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """The events of the log; writing tracebacks for a terminal would take seconds."""
    with capture_logs() as events:
        yield events


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(reads=[errors()], deadline_seconds=0.2, environment="test") as found:
        yield found


@pytest.mark.parametrize(
    ("path", "status", "kind", "detail"),
    [
        ("/raise/input", 422, "invalid-request", "The period is no period."),
        ("/raise/version", 404, "not-found", "There is no version 7."),
        ("/raise/busy", 409, "busy", "Somebody else does it."),
        ("/raise/away", 503, "unreachable", "PostgreSQL at db: refused."),
        ("/raise/bug", 500, "internal", "The reason is in the log under this request's id."),
        ("/raise/timeout", 500, "internal", "The reason is in the log under this request's id."),
        ("/slow", 503, "overloaded", "There was no answer within 0.2 s."),
        ("/nowhere", 404, "not-found", "Nothing is at this address; GET /openapi.json lists what is."),
        ("/predict", 405, "method-not-allowed", "This address does not take that method."),
        ("/livez/", 404, "not-found", "Nothing is at this address; GET /openapi.json lists what is."),
    ],
)
async def test_every_no_is_a_problem(api: Api, path: str, status: int, kind: str, detail: str) -> None:
    answer = await api.client.get(path)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert (problem["type"], problem["detail"]) == (f"urn:tripcast:problem:{kind}", detail)
    assert problem["instance"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_wrong_parameter_is_named(api: Api) -> None:
    answer = await api.client.get("/number/4", params={"least": "few"})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["reason"]) == (422, "least", "invalid_parameter")
    assert (await api.client.get("/number/4", params={"least": "3"})).text == "7"


async def test_half_an_answer_does_not_look_whole() -> None:
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/half", "raw_path": b"/half", "query_string": b"", "headers": []}
    async with serving(reads=[errors()]) as api:
        with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever it is, the server sees it and cuts the connection
            await api.app(scope, receive, send)
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert messages[-1].get("more_body")


async def test_more_than_fit_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(reads=[errors()], concurrency=2, deadline_seconds=0.3) as api:
        held = [asyncio.create_task(api.client.get("/slow")) for _ in range(2)]
        await until(lambda: "in_flight 2.0" in api.core.serve.metrics.exposition().decode())
        refused = await api.client.post("/predict", json=TRIP)
        alive = await api.client.get("/livez")
        await asyncio.gather(*held)
        after = await api.client.post("/predict", json=TRIP)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:tripcast:problem:overloaded")
    assert (alive.status_code, after.status_code) == (200, 200)


async def test_ids_and_traces_are_taken_over(api: Api) -> None:
    own = await api.client.get("/", headers={"X-Request-Id": "order-7.a"})
    traced = await api.client.get("/", headers={"traceparent": TRACE})
    strange = await api.client.get("/", headers={"X-Request-Id": "a b\tc", "traceparent": "00-xyz"})
    assert own.headers["x-request-id"] == "order-7.a"
    assert (traced.headers["x-request-id"], traced.headers["traceparent"]) == (TRACE[3:35], TRACE)
    assert len(strange.headers["x-request-id"]) == 16
    assert "traceparent" not in strange.headers


async def test_an_unforeseen_error_is_in_the_log_under_its_ids(api: Api, logged: list[Any]) -> None:
    await api.client.get("/raise/bug", headers={"traceparent": TRACE, "X-Request-Id": "order-8"})
    await api.client.get("/raise/away")
    [bug] = [event for event in logged if event["event"] == "request_failed"]
    assert (bug["request_id"], bug["trace_id"], bug["route"]) == ("order-8", TRACE[3:35], "/raise/{name}")
    assert isinstance(bug["exc_info"], ZeroDivisionError)


async def test_answers_are_guarded_and_pages_load_nothing_from_elsewhere(api: Api) -> None:
    answer = await api.client.get("/health")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    for page in ("/docs", "/redoc"):
        html = await api.client.get(page)
        assert html.status_code == 200
        assert "http://" not in html.text.replace("http://api", "")
        assert "https://" not in html.text
        assert "default-src 'self'" in html.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png"):
        assert (await api.client.get(f"/assets/{name}")).status_code == 200


async def test_on_loopback_nobody_needs_a_key_and_elsewhere_everybody_does() -> None:
    key = new_key()
    fakes = Fakes(keys=FixedKeys([stored(key)]))
    async with serving(fakes, reads=[errors()]) as api:
        assert (await api.client.get("/who")).text == "nobody"
    async with serving(fakes, reads=[errors()], host="0.0.0.0") as api:  # noqa: S104 - nothing listens
        await until(lambda: api.core.serve.keys._keys is not None)
        refused = await api.client.get("/who")
        public = [(await api.client.get(path)).status_code for path in ("/", "/livez", "/openapi.json", "/docs")]
        closed = [(await api.client.get(path)).status_code for path in ("/metrics", "/health", "/nowhere", "/model/info")]
        by_bearer = await api.client.get("/who", headers=bearer(key))
        by_header = await api.client.get("/who", headers={"X-API-Key": key.token})
        predicted = await api.client.post("/predict", json=TRIP, headers=bearer(key))
        await until(lambda: len(api.served.rows) == 1)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.json()["type"] == "urn:tripcast:problem:unauthorized"
    assert public == [200] * 4
    assert closed == [401] * 4
    assert by_bearer.text == by_header.text == key.key_id
    assert predicted.status_code == 200
    assert [row["key_id"] for row in api.served.rows.values()] == [key.key_id]


@pytest.mark.parametrize("token", ["", "tc_", "tc_000000000000_" + "0" * 64, "Ünïcode", "x" * 5000])
async def test_a_key_that_is_none_is_refused_even_where_none_is_needed(token: str) -> None:
    async with serving(Fakes(keys=FixedKeys([stored(new_key())])), reads=[errors()]) as api:
        await until(lambda: api.core.serve.keys._keys is not None)
        answer = await api.client.get("/who", headers={b"x-api-key": token.encode("utf-8")})
        basic = await api.client.get("/who", headers={"Authorization": "Basic dTpw"})
    assert (answer.status_code, basic.status_code) == (401, 401)


async def test_only_an_operators_key_changes_things_even_on_loopback() -> None:
    key, boss = new_key(), new_key()
    fakes = Fakes(keys=FixedKeys([stored(key), stored(boss, may_operate=True)]))
    async with serving(fakes, reads=[errors()]) as api:
        await until(lambda: api.core.serve.keys._keys is not None)
        for path in ("/change", "/model/reload"):
            answers = [await api.client.post(path, headers=headers) for headers in ({}, bearer(key), bearer(boss))]
            assert [answer.status_code for answer in answers] == [401, 403, 200]


async def test_a_revoked_key_dies_and_an_outage_keeps_the_others_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.tasks.KEYS_SECONDS", 0.01)
    key, other = new_key(), new_key()
    keys = FixedKeys([stored(key), stored(other)])
    async with serving(Fakes(keys=keys), reads=[errors()]) as api:

        async def status(of: NewKey) -> int:
            return (await api.client.get("/who", headers=bearer(of))).status_code

        await until(lambda: api.core.serve.keys._keys is not None)
        assert (await status(key), await status(other)) == (200, 200)
        keys.keys = [stored(other)]

        async def dead() -> bool:
            return await status(key) == 401

        await until(dead)
        keys.down = True
        await asyncio.sleep(0.05)
        assert (await status(key), await status(other)) == (401, 200)


async def test_keys_that_were_never_read_are_not_guessed() -> None:
    async with serving(Fakes(keys=FixedKeys(down=True)), reads=[errors()]) as api:
        answer = await api.client.get("/who", headers=bearer(new_key()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_whoever_asks_too_often_waits_and_nobody_else_does() -> None:
    key, other = new_key(), new_key()
    async with serving(Fakes(keys=FixedKeys([stored(key), stored(other)])), reads=[errors()], rate=3) as api:
        await until(lambda: api.core.serve.keys._keys is not None)
        answers = [await api.client.get("/who", headers=bearer(key)) for _ in range(5)]
        others = [await api.client.get("/who", headers=bearer(other)), await api.client.get("/who")]
        probes = [await api.client.get("/livez") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers[:3]] == ["2", "1", "0"]
    assert answers[0].headers["ratelimit-limit"] == "3"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 61
    assert answers[3].json()["type"] == "urn:tripcast:problem:too-many-requests"
    assert [answer.status_code for answer in (*others, *probes)] == [200] * 7


async def test_who_tries_keys_out_waits_and_no_header_makes_him_somebody_else() -> None:
    key = new_key()
    async with serving(Fakes(keys=FixedKeys([stored(key)])), reads=[errors()], rate=3) as api:
        await until(lambda: api.core.serve.keys._keys is not None)
        tried = [
            await api.client.get(
                "/who", headers=bearer(new_key()) | {"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.0.0.{n}"}
            )
            for n in range(5)
        ]
        known = await api.client.get("/who", headers=bearer(key))
    assert [answer.status_code for answer in tried] == [401, 401, 401, 429, 429]
    assert 1 <= int(tried[3].headers["retry-after"]) <= 61
    assert known.status_code == 200


async def test_the_metrics_name_routes_by_their_template(api: Api) -> None:
    for number in range(3):
        await api.client.get(f"/number/{number}")
    await api.client.get("/never/heard/of")
    await api.client.request("BREW", "/")
    await api.client.post("/predict", json=TRIP)
    await api.client.post("/predict", content=b"{}")
    lines = (await api.client.get("/metrics")).text.splitlines()
    assert 'tripcast_api_requests_total{method="GET",route="/number/{number}",status="200"} 3.0' in lines
    assert 'tripcast_api_requests_total{method="GET",route="other",status="404"} 1.0' in lines
    assert 'tripcast_api_requests_total{method="OTHER",route="/",status="405"} 1.0' in lines
    assert 'tripcast_api_requests_total{method="POST",route="/predict",status="200"} 1.0' in lines
    assert 'tripcast_api_requests_total{method="POST",route="/predict",status="422"} 1.0' in lines
    assert "tripcast_api_predictions_total 1.0" in lines
    assert 'tripcast_champion_info{kind="arithmetic",run_id="run-1",version="1"} 1.0' in lines


async def test_the_document_holds_every_type_that_it_refers_to() -> None:
    async with serving() as api:
        text = (await api.client.get("/openapi.json")).text
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred - schemas.keys() == set()
    assert "HTTPValidationError" not in schemas
    posted = document["paths"]["/predict"]["post"]
    assert posted["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/PredictionRequest")
    assert set(posted["responses"]) == {"200", "401", "413", "422", "429", "503"}
    assert document["paths"]["/model/reload"]["post"]["security"] == [{"bearer": []}, {"header": []}]
