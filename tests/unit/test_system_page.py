"""Roles, builds and traffic as the page System shows them."""

import json
from collections.abc import Mapping

import pytest

from api.metrics import Second
from api.reads.builds import latest_builds
from api.reads.machine import RoleWatch, machine, unknown_role
from api.routes.system import traffic_of
from domain.errors import Unreachable

METRICS = """# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e9
process_resident_memory_bytes 5e7
process_cpu_seconds_total 12.5
tripcast_event_loop_lag_seconds 0.25
tripcast_build_info{version="1.2.3"} 1.0
"""
RUN = {
    "name": "checks",
    "status": "completed",
    "conclusion": "success",
    "head_branch": "main",
    "head_sha": "0123456789abcdef",
    "created_at": "2026-05-01T12:00:00Z",
    "html_url": "http://forge/run/1",
    "more": [1, 2],
}


class Role:
    """Answers with these statuses."""

    def __init__(self, live: int = 200, ready: int = 200, metrics: int = 200, text: str = METRICS) -> None:
        self.answers = {"livez": (live, ""), "readyz": (ready, ""), "metrics": (metrics, text)}
        self.up = True

    async def __call__(self, address: str, seconds: float) -> tuple[int, str]:
        if not self.up:
            raise Unreachable("nobody listens")
        return self.answers[address.rpartition("/")[2]]


async def test_a_role_that_is_well() -> None:
    found = await RoleWatch(Role(), "worker", "http://worker")()
    assert (found.up, found.ready, found.detail, found.version) == (True, True, "", "1.2.3")
    assert (found.memory_bytes, found.loop_lag_seconds) == (5e7, 0.25)
    assert found.started_at is not None


@pytest.mark.parametrize(
    ("role", "up", "ready", "detail"),
    [
        (Role(live=503), False, True, "stands still"),
        (Role(ready=503), True, False, "not ready"),
        (Role(metrics=404), True, True, ""),
        (Role(text="{nonsense"), True, True, ""),
    ],
)
async def test_a_role_that_is_not(role: Role, up: bool, ready: bool, detail: str) -> None:
    found = await RoleWatch(role, "worker", "http://worker")()
    assert (found.up, found.ready, found.detail) == (up, ready, detail)


async def test_a_role_that_does_not_answer_is_a_status_too() -> None:
    role = Role()
    watch = RoleWatch(role, "worker", "http://worker")
    await watch()
    role.up = False
    found = await watch()
    assert (found.up, found.ready, found.detail) == (False, False, "does not answer")
    assert unknown_role("board", "TRIPCAST_API_BOARD").up is None


async def test_processor_load_is_between_two_looks_and_survives_a_restart() -> None:
    role = Role()
    watch = RoleWatch(role, "worker", "http://worker")
    assert (await watch()).cpu_percent is None
    role.answers["metrics"] = (200, METRICS.replace("12.5", "1000.0"))
    assert ((await watch()).cpu_percent or 0) > 100
    role.answers["metrics"] = (200, METRICS.replace("12.5", "0.5"))
    assert (await watch()).cpu_percent is None


async def test_builds_are_asked_of_the_forge_with_the_token() -> None:
    asked: list[tuple[str, Mapping[str, str]]] = []

    async def get(address: str, seconds: float, headers: Mapping[str, str]) -> tuple[int, str]:
        asked.append((address, headers))
        return 200, json.dumps({"workflow_runs": [RUN, {**RUN, "status": "in_progress", "conclusion": None}]})

    found = await latest_builds(get, "http://forge/api/", "owner/name", "secret")
    assert asked[0][0] == "http://forge/api/repos/owner/name/actions/runs?per_page=10"
    assert asked[0][1]["Authorization"] == "Bearer secret"
    assert [(build.name, build.conclusion, build.commit) for build in found.builds] == [
        ("checks", "success", "0123456789ab"),
        ("checks", None, "0123456789ab"),
    ]
    assert found.hint is None


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((404, "{}"), "answers with status 404"),
        ((200, "<html>"), "does not answer, or not as expected"),
        ((200, '{"workflow_runs": []}'), "no build yet"),
        (None, "does not answer, or not as expected"),
    ],
)
async def test_without_builds_there_is_a_hint(answer: tuple[int, str] | None, hint: str) -> None:
    async def get(address: str, seconds: float, headers: Mapping[str, str]) -> tuple[int, str]:
        if answer is None:
            raise Unreachable("away")
        return answer

    found = await latest_builds(get, "http://forge", "owner/name", None)
    assert found.builds == []
    assert hint in (found.hint or "")
    assert "TRIPCAST_CI_ADDRESS" in ((await latest_builds(get, "", "", None)).hint or "")


def test_traffic_of_a_minute() -> None:
    seconds = [Second(number) for number in range(60)]
    seconds[3].seconds, seconds[3].by_route = [0.001] * 99 + [1.0], {"/predict": 99, "/snapshot": 1}
    seconds[3].failed = 2
    found = traffic_of(seconds)
    assert found.requests_per_second == pytest.approx(100 / 60)
    assert (found.p50_seconds, found.error_share, found.requests[3]) == (0.001, 0.02, 100)
    assert found.by_route == {"/predict": 99, "/snapshot": 1}
    assert traffic_of([]).p50_seconds is None


def test_the_machine_has_a_size(tmp_path) -> None:
    found = machine(tmp_path / "not there")
    assert found.memory_bytes >= found.memory_used_bytes > 0
    assert found.disk_bytes >= found.disk_used_bytes > 0
