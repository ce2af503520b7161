"""A replay in lockstep publishes a turn and waits until the service has dealt with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from cli.sources.bootstrap import JsonEvents
from cli.sources.lockstep import Lockstep, Pair
from cli.sources.replay import ReplayTrips, Turns
from cli.sources.replay_file import Sources
from domain.entities.progress import LoopProgress
from domain.entities.trips import SECOND, CompletionColumns
from domain.errors import DatabaseUnreachable, PartFailed
from domain.policy import Timing
from domain.timeline import timeline_of, turn_end
from tests.fakes.waiting import FakeWaiting
from tests.trips import random_trips

SETTLED = LoopProgress({0: 10, 1: 20}, newest_minute=1000, closed_until=995, open_requests=0, champion=2, shadow=1)


class FakeService:
    """Shows one progress after the other, the last for ever."""

    def __init__(self, *shown: LoopProgress | Exception, served: Sequence[Pair | None] = ((2, 1), (2, 1))) -> None:
        self.shown, self._served = list(shown), served

    async def ends(self) -> Mapping[int, int]:
        return {0: 10, 1: 20}

    async def progress(self) -> LoopProgress:
        found = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def registered(self) -> Pair:
        return 2, 1

    async def served(self) -> Sequence[Pair | None]:
        return self._served


def lockstep(service: FakeService, waiting: FakeWaiting, said: list[str]) -> Lockstep:
    return Lockstep(service, Timing(), waiting, said.append)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (replace(SETTLED, next_offsets={0: 10, 1: 19}), "partition 1 up to offset 20"),
        (replace(SETTLED, next_offsets={0: 10}), "partition 1 up to offset 20"),
        (replace(SETTLED, closed_until=990), "steps are open"),
        (replace(SETTLED, open_requests=1), "1 requests of the loop are open"),
        (replace(SETTLED, champion=1), "the loop 1 and 1 in its shadow"),
        (replace(SETTLED, shadow=None), "the loop 2 and none in its shadow"),
        (DatabaseUnreachable("PostgreSQL is away"), "PostgreSQL is away"),
    ],
)
async def test_it_waits_for_whatever_is_not_done_yet(progress: LoopProgress | Exception, words: str) -> None:
    said = list[str]()
    await lockstep(FakeService(progress, SETTLED), FakeWaiting(), said)()
    assert len(said) == 1
    assert words in said[0]


@pytest.mark.parametrize("worker", [None, (1, 1), (2, None)])
async def test_it_waits_for_every_worker_to_serve_what_the_registry_says(worker: Pair | None) -> None:
    service = FakeService(SETTLED, served=[(2, 1), worker])
    assert "a worker serves" in str(await lockstep(service, FakeWaiting(), []).unsettled())


async def test_it_gives_up_in_words_after_a_long_time() -> None:
    service = FakeService(replace(SETTLED, open_requests=1))
    with pytest.raises(PartFailed, match="requests of the loop are open"):
        await lockstep(service, FakeWaiting(), [])()


async def test_nothing_of_the_next_turn_is_published_before_this_one_is_dealt_with() -> None:
    trips = random_trips(300)
    completions = CompletionColumns(trips.trip_id, trips.pickup_at, trips.pickup_at + 600 * SECOND)
    timeline = timeline_of(trips, completions)
    published, dealt = [0], [0]

    async def publish(keys: list[bytes], _: list[bytes]) -> None:
        published[0] += len(keys)

    async def dealt_with() -> None:
        ends = turn_end(timeline.at[published[0] - 1], 60)
        assert published[0] == np.searchsorted(timeline.at, ends, side="left")
        assert published[0] > dealt[-1]
        dealt.append(published[0])

    replay = ReplayTrips(publish, JsonEvents(), FakeWaiting(), lambda _: None, float("inf"), Turns(60, dealt_with))
    await replay(trips, completions, timeline)
    assert dealt[-1] == len(timeline) == 600
    assert len(dealt) - 1 == len({str(turn_end(at, 60)) for at in timeline.at})


def test_several_files_are_named_by_all_of_them() -> None:
    class File:
        def __init__(self, name: str) -> None:
            self.name = name

        def sha256(self) -> str:
            return self.name

        def batches(self, _: object) -> list[str]:
            return [self.name]

    assert Sources([File("aa")]).sha256() == "aa"  # type: ignore[list-item]
    assert Sources([File("aa"), File("bb")]).sha256() != Sources([File("bb"), File("aa")]).sha256()  # type: ignore[list-item]


def test_turns_divide_time_alike_for_everybody() -> None:
    assert turn_end(np.datetime64("2020-03-16T07:59:59", "us"), 60) == np.datetime64("2020-03-16T08:00:00")
    assert turn_end(np.datetime64("2020-03-16T08:00:00", "us"), 60) == np.datetime64("2020-03-16T09:00:00")
    assert turn_end(np.datetime64("2020-03-16T08:00:00", "us"), 360) == np.datetime64("2020-03-16T12:00:00")
