"""Promise 22: the board outlives the faults 4, 6, 7 and 8: no 500, its pill right within 3 s, and it recovers by itself."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from playwright.sync_api import Page, expect
from prometheus_client.parser import text_string_to_metric_families

from adapters.postgres.admin.migrate import migrate
from benchmarks.api.servers import Server as Watched
from benchmarks.board.cost import cost_of
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.ports import free_ports
from cli.embedded.postgres import API, BOARD, OWNER, WORKER
from cli.embedded.secrets import Secrets
from tests.browser.background import Background
from tests.browser.conftest import HOW, background, browser, found_program, page, watch  # noqa: F401 - fixtures
from tests.browser.pill import FIRST_SINCE, RECORD, expect_state, seconds_until
from tests.browser.system import Logins, System, new_system
from tests.chaos.report import Report
from tests.chaos.servers import Server
from tests.running import World

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(300),
    pytest.mark.skipif(found_program() is None and not os.environ.get("REQUIRE_BROWSER"), reason=HOW),
]
VIEWERS = 20
ALIKE = 1.25  # what is read only now and then may fall into one count and not into the other
RIGHT_SECONDS, RECOVERY_SECONDS = 3.0, 15.0
PATIENCE_MS = 60_000.0
SESSION = "select pid from pg_stat_activity where usename = $1 order by backend_start desc limit 1"
T = TypeVar("T")


class Elsewhere:
    """Runs what must not meet the browser's event loop in a thread of its own, which lives as long as what it has started."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    def __call__(self, work: Callable[..., T], *arguments: object) -> T:
        return self._pool.submit(work, *arguments).result()


@dataclass(frozen=True, slots=True)
class Machine:
    """What the system runs on, and can lose."""

    elsewhere: Elsewhere
    database: Server
    broker: Server
    logins: Logins
    kafka: str
    log: Path  # of PostgreSQL, with every statement of the login that reads
    lost: list[Server] = field(default_factory=list)

    def lose(self, server: Server) -> Callable[[], None]:
        """Kill it."""

        def kill() -> None:
            self.lost.append(server)
            self.elsewhere(server.kill)

        return kill

    def regain(self, server: Server) -> Callable[[], None]:
        """Start it on the same data."""

        def start() -> None:
            self.elsewhere(server.start)
            self.lost.remove(server)

        return start


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder, elsewhere = tmp_path_factory.mktemp("machine"), Elsewhere()
    made = elsewhere(_machine, folder, elsewhere)
    yield made
    elsewhere(made.database.stop)
    elsewhere(made.broker.stop)


def _machine(folder: Path, elsewhere: Elsewhere) -> Machine:
    one, two, three = free_ports(3)
    postgres = embedded_postgres(folder / "postgres", folder / "postgres.log", one, Secrets(folder / "secrets.env"))
    kafka = embedded_kafka(folder / "kafka", folder / "kafka.log", two, three)
    database, broker = Server(postgres), Server(kafka)
    migrate(postgres.address(OWNER, OWNER))
    logins = Logins(*(postgres.address(user, OWNER) for user in (OWNER, WORKER, API, BOARD)))
    asyncio.run(_log_statements(postgres.admin))
    return Machine(elsewhere, database, broker, logins, kafka.address, postgres.log)


async def _log_statements(admin: str) -> None:
    connection = await asyncpg.connect(admin)
    await connection.execute(f"alter role {BOARD} set log_statement = 'all'")
    await connection.close()


@pytest.fixture(scope="module")
def system(machine: Machine, background: Background, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:  # noqa: F811
    """All roles run, and trips come in."""
    world = World(machine.kafka, machine.logins.owner, "board-", tmp_path_factory.mktemp("board"), [])
    background.run(world.prepare())
    system = new_system(background, world, machine.logins)
    try:
        system.heal()
        system.crown()
        system.start("worker", "api", "dashboard")
        yield system
    finally:
        system.end()


@dataclass(frozen=True, slots=True)
class Seen:
    """A page that is open through a fault, and the line that is told of it."""

    page: Page
    system: System
    report: Report

    def fault(self, state: str, cause: Callable[[], object]) -> None:
        """The pill must say so in time."""
        self._within("pill_s", seconds_until(self.page, state, cause), RIGHT_SECONDS)

    def healed(self, cause: Callable[[], object]) -> None:
        """From the end of `cause` on the pill is live again in time."""
        cause()
        took = seconds_until(self.page, "live", lambda: None, PATIENCE_MS)
        self.report.recovery_s = round(took, 1)
        self._within("live_again_s", took, RECOVERY_SECONDS)

    def traffic_version(self) -> str:
        """What the panel of traffic has drawn."""
        return self.page.locator("#panel-traffic").get_attribute("data-version") or ""

    def goes_on(self, drawn: str) -> None:
        """From now on the page moves in time and its pill is live, whether or not it ever said anything else."""
        began = time.monotonic()
        self.moves_on(drawn)
        expect_state(self.page, "live", PATIENCE_MS)
        took = time.monotonic() - began
        self.report.recovery_s = round(took, 1)
        self._within("live_again_s", took, RECOVERY_SECONDS)

    def moves_on(self, drawn: str) -> None:
        """Return when the panel of traffic has drawn something else."""
        traffic = self.page.locator("#panel-traffic")
        expect(traffic).not_to_have_attribute("data-version", drawn, timeout=PATIENCE_MS)

    def no_500(self) -> None:
        """Neither of the board, whose errors a browser would log (see `page`), nor of the API."""
        families = text_string_to_metric_families(self.system.ask("/metrics").text)
        samples = [each for family in families for each in family.samples if each.name == "tripcast_api_requests_total"]
        assert samples
        assert [each.labels for each in samples if each.labels["status"] == "500"] == []
        assert "Traceback" not in self.page.locator("body").inner_text()

    def _within(self, name: str, took: float, promised: float) -> None:
        self.report.measured[name] = round(took, 1)
        if self.report.full:
            assert took <= promised, f"{name}: {took:.1f}; promised are {promised:.0f}"


@pytest.fixture
def seen(system: System, machine: Machine, page: Page, report: Report) -> Iterator[Seen]:  # noqa: F811
    system.flow()
    page.goto("/")
    expect_state(page, "live", PATIENCE_MS)
    seen = Seen(page, system, report)
    seen.moves_on(seen.traffic_version())  # the first drawing is the longest: let it be over
    yield seen
    for server in list(machine.lost):  # of a test that failed
        machine.regain(server)()
    system.heal()
    seen.no_500()
    assert all(process.poll() is None for process in system.processes.values())


@pytest.mark.promise(22)
def test_a_killed_database_is_told_and_come_back_from(seen: Seen, machine: Machine) -> None:
    seen.report.fault = "the board open: PostgreSQL killed and started"
    seen.fault("database_unreachable", machine.lose(machine.database))
    seen.healed(machine.regain(machine.database))


@pytest.mark.promise(22)
def test_a_killed_backend_is_come_back_from(seen: Seen) -> None:
    """PostgreSQL ends every session and recovers, often in less time than the pill has to tell: then either is right."""
    seen.report.fault = "the board open: SIGKILL to the session that it reads by; PostgreSQL ends all others and recovers"
    [row] = seen.system.sql(SESSION, BOARD)
    before = _sessions(seen.system)
    seen.page.evaluate(RECORD)
    began = seen.page.evaluate("Date.now()")
    os.kill(row["pid"], signal.SIGKILL)
    away = _seconds_away(seen.system, before)
    seen.goes_on(seen.traffic_version())
    told = seen.page.evaluate(FIRST_SINCE, ["database_unreachable", began])
    seen.report.measured |= {"away_s": round(away, 1), "told": told is not None}
    assert told is not None or away <= RIGHT_SECONDS


def _sessions(system: System) -> set[int]:
    """Process ids of those that stay connected."""
    return {
        row["pid"]
        for row in system.sql("select pid from pg_stat_activity where pid <> pg_backend_pid() and usename is not null")
    }


def _seconds_away(system: System, before: set[int]) -> float:
    """Until all sessions of before have ended, and the database answers whoever asks anew."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_MS / 1000:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if not before & _sessions(system):
                return time.monotonic() - began
    raise AssertionError("the database did not come back")


@pytest.mark.promise(22)
def test_a_silent_network_is_told_and_come_back_from(seen: Seen) -> None:
    seen.report.fault = "the board open: everything to and from the database swallowed for 10 s"
    system = seen.system
    seen.fault("database_unreachable", lambda: system.background.run(system.proxy.swallow()))
    seen.page.wait_for_timeout(10_000 if seen.report.full else 1_000)  # the fault lasts
    seen.healed(system.heal)


@pytest.mark.promise(22)
def test_a_killed_broker_is_told_and_come_back_from(seen: Seen, machine: Machine) -> None:
    seen.report.fault = "the board open: the broker killed and started"
    seen.system.cease()
    seen.fault("stale", machine.lose(machine.broker))
    machine.regain(machine.broker)()
    seen.healed(seen.system.flow)


@pytest.mark.promise(22)
def test_twenty_viewers_cost_the_database_what_one_costs(system: System, machine: Machine, report: Report) -> None:
    report.fault = f"{VIEWERS} viewers instead of one"
    system.flow()
    api, board = (Watched(address, system.processes[role].pid) for role, address in _served(system).items())
    one, many = (machine.elsewhere(cost_of, viewers, machine.log, api, board) for viewers in (1, VIEWERS))
    report.measured |= {
        "statements_per_s_1": round(one.statements, 1),
        f"statements_per_s_{VIEWERS}": round(many.statements, 1),
    }
    assert many.statements <= one.statements * ALIKE


def _served(system: System) -> dict[str, str]:
    return {"api": system.api, "dashboard": system.board}
