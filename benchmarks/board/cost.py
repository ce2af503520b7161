"""What so many open boards cost, as PostgreSQL's log, the API's counters and the processes' own clocks tell it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.api.servers import Server
from benchmarks.board.browsers import browsers
from benchmarks.board.statements import statements_so_far

SECONDS, WARM_UP = 12.0, 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Each second: statements at the database, requests at the API. `cpu`: seconds of one core; ticks: requests of browsers."""

    statements: float
    api_requests: float
    api_cpu: float
    board_cpu: float
    tick_p50_ms: float
    tick_p99_ms: float
    kilobytes_a_board: float


@dataclass(frozen=True, slots=True)
class _Read:
    statements: int
    api_requests: float
    api_cpu: float
    board_cpu: float


def cost_of(boards: int, log: Path, api: Server, board: Server) -> Cost:
    """Open the boards, let them settle, and count."""
    return asyncio.run(_cost_of(boards, log, api, board))


async def _cost_of(boards: int, log: Path, api: Server, board: Server) -> Cost:
    looking = asyncio.create_task(browsers(board.address, boards, WARM_UP + SECONDS))
    await asyncio.sleep(WARM_UP)
    before = await asyncio.to_thread(_read, log, api, board)
    await asyncio.sleep(SECONDS)
    after = await asyncio.to_thread(_read, log, api, board)
    opened = await looking
    waits = np.concatenate([each.waits[int(WARM_UP) :] for each in opened]) * 1000
    return Cost(
        statements=(after.statements - before.statements) / SECONDS,
        api_requests=(after.api_requests - before.api_requests) / SECONDS,
        api_cpu=(after.api_cpu - before.api_cpu) / SECONDS,
        board_cpu=(after.board_cpu - before.board_cpu) / SECONDS,
        tick_p50_ms=float(np.quantile(waits, 0.5)),
        tick_p99_ms=float(np.quantile(waits, 0.99)),
        kilobytes_a_board=sum(each.received for each in opened) / boards / (WARM_UP + SECONDS) / 1000,
    )


def _read(log: Path, api: Server, board: Server) -> _Read:
    return _Read(statements_so_far(log), _requests(api), _cpu(api.pid), _cpu(board.pid))


def _requests(api: Server) -> float:
    """All that the API answered, but for the question itself."""
    families = list(text_string_to_metric_families(httpx.get(f"{api.address}/metrics").raise_for_status().text))
    samples = [sample for family in families for sample in family.samples if sample.name == "tripcast_api_requests_total"]
    return sum(sample.value for sample in samples if sample.labels["route"] != "/metrics")


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
