"""The board over HTTP beside a stand-in API: headers, health, pages, and the one callback that moves everything."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from structlog.testing import capture_logs

from adapters.health.bounded_http import HEAD_BYTES
from adapters.health.uvicorn_server import Server
from cli.embedded.ports import HOST, free_ports
from dashboard import bootstrap
from dashboard.bootstrap import Board, create_board, serve
from dashboard.settings import BoardSettings
from dashboard.web import CALL_BYTES
from tests.fakes.api import StandInApi, serving
from tests.running import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
VIEW = {
    "period": "15m",
    "paused": False,
    "theme": "light",
    "area": None,
    "metric": "trips",
    "end": "pickup",
    "zone": "UTC",
    "query": {},
}
SENT_AS_JSON = {"Content-Type": "application/json"}
TICK = "..pill.children...last-event.children...banner.children...environment.children...known.data"


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[StandInApi, str]]:
    stand_in = StandInApi()
    with serving(stand_in) as address:
        yield stand_in, address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def board(api: tuple[StandInApi, str]) -> AsyncIterator[Board]:
    board = create_board(BoardSettings(api=api[1]))
    async with board.client:
        polling = asyncio.create_task(board.poller.run())
        yield board
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(board: Board) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(board.web), base_url="http://board") as client:
        yield client


async def outputs(browser: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Dash's own list of callbacks, by their outputs."""
    listed = (await browser.get("/_dash-dependencies")).json()
    return {each["output"]: each for each in listed}


async def called(
    browser: httpx.AsyncClient, output: str, values: dict[str, Any], listed: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Call one callback as the renderer does; `values` by id."""
    one = (listed or await outputs(browser))[output]
    names = [part.rpartition(".") for part in output.strip(".").split("...")]
    several = [{"id": name, "property": prop} for name, _, prop in names]
    asked = {
        "output": output,
        "outputs": several if output.startswith("..") else several[0],
        "inputs": [{**each, "value": values.get(each["id"])} for each in one["inputs"]],
        "state": [{**each, "value": values.get(each["id"])} for each in one["state"]],
        "changedPropIds": [f"{one['inputs'][0]['id']}.{one['inputs'][0]['property']}"],
    }
    answer = await browser.post("/_dash-update-component", json=asked)
    assert answer.status_code in {200, 204}
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


async def tick(browser: httpx.AsyncClient, known: dict[str, str], **view: Any) -> dict[str, Any]:
    (output,) = [name for name in await outputs(browser) if name.startswith(TICK)]
    return await called(browser, output, {"view": VIEW | view, "route": "/?", "known": known})


async def test_every_answer_forbids_what_comes_from_elsewhere(browser: httpx.AsyncClient) -> None:
    for path in ("/", "/models", "/livez", "/_dash-layout"):
        headers = (await browser.get(path)).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'"
        assert "unsafe" not in policy["script-src"]
        assert policy["frame-ancestors"] == "'none'"
        assert "http" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


async def test_the_document_names_no_other_host(browser: httpx.AsyncClient) -> None:
    document = (await browser.get("/")).text
    assert 'src="http' not in document
    assert 'href="http' not in document


async def test_a_shared_address_that_is_opened_first_has_its_scripts(browser: httpx.AsyncClient) -> None:
    assert "/assets/board.js" in (await browser.get("/models?period=1h")).text


async def test_health_and_metrics_are_the_boards_own(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/livez")).json() == {"alive": True}
    text = (await browser.get("/metrics")).text
    assert 'tripcast_board_answers_total{status="2xx"}' in text
    assert "tripcast_board_views" in text


async def test_what_machines_ask_for_is_not_answered_with_a_page(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/openapi.json")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/overview", "/models", "/data", "/try", "/api", "/system", "/dead-letters", "/drift"])
async def test_every_page_opens(browser: httpx.AsyncClient, path: str) -> None:
    output = next(name for name in await outputs(browser) if name.startswith("..page.children"))
    answer = await called(browser, output, {"route": f"{path}?", "view": VIEW})
    name = {"/": "live", "/try": "try"}.get(path, path.strip("/"))
    assert answer["response"]["page"]["children"]["props"]["id"].startswith(f"page-{name}")


async def test_a_tick_tells_what_changed_and_the_next_one_less(browser: httpx.AsyncClient, api: tuple[StandInApi, str]) -> None:
    first = await tick(browser, {})
    pill = first["response"]["pill"]["children"]["props"]
    assert (pill["id"], pill["data-state"]) == ("status-pill", "live")
    assert {"traffic", "error", "map", "trips-news"} <= set(first["sideUpdate"])
    then = await tick(browser, first["response"]["known"]["data"])
    assert "geojson" not in str(then.get("sideUpdate", {}))


async def test_a_pause_moves_nothing(browser: httpx.AsyncClient) -> None:
    first = await tick(browser, {}, paused=True)
    paused = await tick(browser, first["response"]["known"]["data"], paused=True)
    assert paused["response"]["pill"]["children"]["props"]["data-state"] == "paused"
    assert "sideUpdate" not in paused


async def test_a_page_opened_paused_moves_until_it_has_seen_each_panel(
    browser: httpx.AsyncClient, api: tuple[StandInApi, str]
) -> None:
    """Else a shared address that is opened in a slow moment stays empty for good."""
    known: dict[str, str] = {}

    async def stands_still() -> bool:
        found = await tick(browser, known, paused=True)
        known.update(found["response"].get("known", {}).get("data", {}))
        return "view" in known

    async def waits() -> bool:
        known.clear()
        return not await stands_still()

    api[0].city.state = "no_data"
    try:
        await until(waits)
    finally:
        api[0].city.state = "live"
    await until(stands_still)
    assert "sideUpdate" not in await tick(browser, known, paused=True)


async def test_twenty_browsers_cost_the_api_what_one_does(browser: httpx.AsyncClient, board: Board) -> None:
    await tick(browser, {})
    clock = asyncio.get_running_loop().time
    before, began = board.poller.asked, clock()
    await asyncio.gather(*(tick(browser, {}) for _ in range(20)))
    assert board.poller.views == 1
    assert board.poller.asked - before <= clock() - began + 1  # once a second, however many they are


NO_CALLS = (
    b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"output":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"output":"x"}',
    b'{"output":"x.y","outputs":{"id":"x","property":"y"},"inputs":[],"changedPropIds":[]}',
)  # fmt: skip


async def test_what_is_no_call_of_the_board_is_refused_and_not_an_error_of_ours(browser: httpx.AsyncClient) -> None:
    listed = await outputs(browser)
    bodies = list(NO_CALLS)
    for output in listed:
        for inputs in ([], None, "a", [{"id": "x", "property": "y", "value": 1}]):
            wrong: tuple[Any, ...] = (None, {"id": "page", "property": "children"}, [], 5)
            for outs in wrong:
                asked = {"output": output, "outputs": outs, "inputs": inputs, "state": inputs, "changedPropIds": ["a.b"]}
                bodies.append(json.dumps(asked).encode())
    answers = [await browser.post("/_dash-update-component", content=body, headers=SENT_AS_JSON) for body in bodies]
    assert {answer.status_code for answer in answers} == {400}
    large = await browser.post("/_dash-update-component", content=b" " * (CALL_BYTES + 1), headers=SENT_AS_JSON)
    assert large.status_code == 413


VALUES: tuple[object, ...] = (
    None,
    5,
    [],
    {},
    {"query": 5},
    {"area": -5, "period": {}},
    "tc_" + "a" * 100,
    "\x00",
    1e308,
    ["a"],
)


async def test_whatever_a_browser_claims_to_know_is_no_error_of_ours(browser: httpx.AsyncClient) -> None:
    listed = await outputs(browser)
    for output, one in listed.items():
        names = [part["id"] for part in (*one["inputs"], *one["state"])]
        for value in VALUES if not one["clientside_function"] else ():
            with capture_logs() as logs:  # what a callback could not make sense of is told, and its part stays as it was
                await called(browser, output, dict.fromkeys(names, value), listed)
            assert {entry["event"] for entry in logs} <= {"callback_failed"}


async def test_only_what_is_offered_is_answered_and_only_to_reading(browser: httpx.AsyncClient) -> None:
    paths = (
        "/",
        "/models",
        "/metrics",
        "/livez",
        "/_dash-layout",
        "/assets/board.js",
        "/_config",
        "/_dash-component-suites/dash/x.js",
    )
    for path in paths:
        assert {(await browser.request(method, path)).status_code for method in ("POST", "PUT", "DELETE", "TRACE")} == {405}
    assert (await browser.get("/_dash-update-component")).status_code == 405
    for path in ("/_dash-component-suites/dash/deps/no.js", "/assets/%2e%2e/app.py", "/assets/..%2fapp.py", "/assets/no"):
        assert (await browser.get(path)).status_code == 404
    answers = [await browser.get(path) for path in paths]
    assert {name for answer in answers for name in answer.headers} & {"set-cookie", "access-control-allow-origin"} == set()
    assert {answer.headers["referrer-policy"] for answer in answers} == {"no-referrer"}


async def test_its_server_cuts_heads_off_that_do_not_end(api: tuple[StandInApi, str], monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[Server] = []

    def made(config: uvicorn.Config) -> Server:
        servers.append(Server(config))
        return servers[0]

    monkeypatch.setattr(bootstrap, "Server", made)
    [port] = free_ports(1)
    board = asyncio.create_task(serve(BoardSettings(api=api[1], board_port=port)))
    answers: list[bytes] = []

    async def answered() -> bool:
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:  # it has not begun yet
            return False
        writer.write((b"GET / HTTP/1.1\r\nX: " + b"v" * HEAD_BYTES)[: HEAD_BYTES + 1])
        async with asyncio.timeout(5):
            answers.append(await reader.readline())
        writer.close()
        return True

    await until(answered)
    servers[0].should_exit = True
    await board
    assert answers == [b"HTTP/1.1 431 Request Header Fields Too Large\r\n"]
