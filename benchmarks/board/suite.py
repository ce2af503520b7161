"""The board part of `make bench`: twenty open boards beside one, and a day of roll-ups as one answer.

The system runs: a worker, the simulated city at 50 trips/s in real time, the API with a login for reading, the board. Browsers
are plain HTTP clients that send what the page sends, so that no drawing is measured on the same two cores.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console

from benchmarks.api.servers import Server, our_api, served
from benchmarks.board.cost import Cost, cost_of
from benchmarks.board.day import Day, day_of_rollups
from benchmarks.champion import champion
from benchmarks.report import save, show
from benchmarks.world import World
from cli.embedded.ports import free_ports

FEW, MANY = 1, 20
HISTORY_TRIPS = 4_000  # how good the champion is does not matter here
CITY = ("simulate", "--rate", "50", "--speed", "1")


def run(world: World, rounds: int) -> None:  # noqa: ARG001 - counts need no repeats
    """Measure both; save and show."""
    say = Console(stderr=True).print
    started = time.monotonic()
    champion(world, say, HISTORY_TRIPS)
    costs = {}
    with _system(world) as (api, board):
        for boards in (FEW, MANY):
            say(f"open boards: {boards}")
            costs[boards] = cost_of(boards, world.postgres_log, api, board)
    say("a day of roll-ups at 1,000 events/s")
    _conclude(costs, day_of_rollups(world), time.monotonic() - started)


@contextmanager
def _system(world: World) -> Iterator[tuple[Server, Server]]:
    """Worker, city, API and board while the block runs. The city's clock shows the time of day, as a real one's would."""
    worker, port = (str(each) for each in free_ports(2))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    with ExitStack() as stack:
        start = stack.enter_context
        start(served(world, "worker.log", int(worker), "/readyz", "cli", "worker", TRIPCAST_WORKER_PORT=worker))
        start(world.process("city.log", "-m", "cli", *CITY, "--start", now))
        settings = {"TRIPCAST_BOARD_DATABASE": world.readers, "TRIPCAST_API_WORKERS": f"http://127.0.0.1:{worker}"}
        api = start(our_api(world, **settings))
        settings = {"TRIPCAST_API": api.address, "TRIPCAST_BOARD_PORT": port}
        yield api, start(served(world, "board.log", int(port), "/livez", "cli", "dashboard", **settings))


def _conclude(costs: dict[int, Cost], day: Day, seconds: float) -> None:
    few, many = costs[FEW], costs[MANY]
    results = {
        "statements_of_20_vs_1": many.statements / few.statements,
        "api_requests_of_20_vs_1": many.api_requests / few.api_requests,
        "statements_per_s_1": few.statements,
        "statements_per_s_20": many.statements,
        "api_requests_per_s_20": many.api_requests,
        "cpu_20": many.board_cpu,
        "tick_p99_ms_20": many.tick_p99_ms,
        "day_ms": day.most_ms,
    }
    details = {str(boards): {name: round(value, 3) for name, value in asdict(cost).items()} for boards, cost in costs.items()}
    save("board", results, {"boards": details, "day": asdict(day), "took_seconds": round(seconds)})
    show("Open boards, and a day on one of them", _rows(few, many, day), ("what", "figure", "reach"))


def _rows(few: Cost, many: Cost, day: Day) -> list[tuple[str, str, str]]:
    return [
        ("statements/s at the database: 1 board", f"{few.statements:.1f}", ""),
        ("20 boards", f"{many.statements:.1f}", "as 1"),
        ("requests/s at the API: 1 board", f"{few.api_requests:.1f}", ""),
        ("20 boards", f"{many.api_requests:.1f}", "as 1"),
        ("processor of the API, cores: 1 board, 20 boards", f"{few.api_cpu:.2f}, {many.api_cpu:.2f}", ""),
        ("processor of the board, cores: 1 board, 20 boards", f"{few.board_cpu:.2f}, {many.board_cpu:.2f}", ""),
        ("a browser's tick: 1 board, p99", f"{few.tick_p99_ms:.0f} ms", ""),
        ("20 boards, p99", f"{many.tick_p99_ms:.0f} ms", ""),
        ("24 h, first answer of a new API", f"{day.first_ms:.0f} ms", "<= 300"),
        ("24 h, first answer for an area, slowest", f"{max(day.areas_ms):.0f} ms", "<= 300"),
        ("24 h, later answers, slowest", f"{max(day.later_ms):.0f} ms", "<= 300"),
    ]
