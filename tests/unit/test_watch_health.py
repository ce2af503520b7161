"""After a deployment: when a service counts as well, and when patience ends."""

from collections.abc import Awaitable, Callable, Mapping

import pytest

from batch.looks import LookAtApi, LookAtWorker
from batch.watch_health import EVERY_SECONDS, TOLERATED, Look, WatchHealth
from domain.errors import Unreachable

INFO = (
    '{"name":"m","version":%d,"kind":"k","run_id":"r","feature_schema":"s","created_at":"2026-01-01T00:00:00Z","metrics":{},'
    '"registry_up":true,"local_copy":false,"refused":%s,"run_url":null}'
)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    async def wait(self, seconds: float) -> None:
        self.now += seconds


def watching(look: Callable[[float], str | None], within: float = 10, watch: float = 20) -> tuple[WatchHealth, Time]:
    time = Time()

    async def looked(version: int) -> str | None:
        assert version == 3
        return look(time.now)

    looks: list[Look] = [looked]
    return WatchHealth(looks, within, watch, lambda: time.now, time.wait), time


async def test_a_service_that_takes_it_up_late_and_stays_well_is_well_when_the_watch_ends() -> None:
    watch, time = watching(lambda now: "the old version" if now < 6 else None)
    assert await watch(3) is None
    assert time.now == 26


async def test_a_service_that_never_takes_it_up_is_given_up_in_time() -> None:
    watch, time = watching(lambda _: "api serves version 2")
    assert await watch(3) == "after 10 s api serves version 2"
    assert time.now == 10


async def test_a_hiccup_is_forgiven_and_an_illness_is_not() -> None:
    hiccup, _ = watching(lambda now: "no answer" if 4 <= now < 4 + (TOLERATED - 1) * EVERY_SECONDS else None)
    assert await hiccup(3) is None
    ill, time = watching(lambda now: "no answer" if now >= 4 else None)
    assert await ill(3) == "no answer"
    assert time.now == 4 + (TOLERATED - 1) * EVERY_SECONDS


def answering(answers: Mapping[str, tuple[int, str]], keys: list[str]) -> Callable[..., Awaitable[tuple[int, str]]]:
    async def get(address: str, seconds: float, headers: Mapping[str, str] | None) -> tuple[int, str]:
        keys.extend((headers or {}).values())
        if address not in answers:
            raise Unreachable(f"{address} does not answer")
        return answers[address]

    return get


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ({"http://api/readyz": (200, ""), "http://api/model/info": (200, INFO % (3, "null"))}, None),
        ({"http://api/readyz": (200, ""), "http://api/model/info": (200, INFO % (2, "null"))}, "http://api serves version 2"),
        (
            {
                "http://api/readyz": (200, ""),
                "http://api/model/info": (200, INFO % (2, '{"version":3,"reason":"the sha256 differs"}')),
            },
            "http://api serves version 2 and refuses 3: the sha256 differs",
        ),
        ({"http://api/readyz": (503, "")}, "http://api/readyz answers with status 503"),
        ({"http://api/readyz": (200, ""), "http://api/model/info": (401, "")}, "http://api/model/info answers with status 401"),
        (
            {"http://api/readyz": (200, ""), "http://api/model/info": (200, "<html>")},
            "http://api/model/info answers with something that is not tripcast's API",
        ),
        ({}, "http://api/readyz does not answer"),
    ],
)
async def test_what_an_api_says(answers: dict[str, tuple[int, str]], wrong: str | None) -> None:
    keys: list[str] = []
    assert await LookAtApi("http://api", answering(answers, keys), "tc_secret")(3) == wrong
    assert set(keys) <= {"tc_secret"}


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ({"http://w/readyz": (200, ""), "http://w/metrics": (200, "tripcast_champion_version 3.0\n")}, None),
        (
            {"http://w/readyz": (200, ""), "http://w/metrics": (200, "tripcast_champion_version 2.0\n")},
            "http://w scores with version 2",
        ),
        ({"http://w/readyz": (200, ""), "http://w/metrics": (200, "")}, "http://w scores with version None"),
        ({"http://w/readyz": (503, "")}, "http://w/readyz answers with status 503"),
        ({}, "http://w/readyz does not answer"),
    ],
)
async def test_what_a_worker_says(answers: dict[str, tuple[int, str]], wrong: str | None) -> None:
    assert await LookAtWorker("http://w", answering(answers, []))(3) == wrong
