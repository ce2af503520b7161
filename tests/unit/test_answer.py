"""What the trainer does with a request: done once, completed after a crash, and not done again against people's will."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.onnx.local_models import LocalModels
from batch.answer import AnswerRequest
from batch.training_process import TrainingOrder
from domain.entities.models import Alias, LifecycleEvent
from domain.errors import ConcurrentUpdate, DatabaseUnreachable, ModelRefused, NotEnoughTrips, PartFailed, TripcastError
from domain.features import feature_schema
from domain.loop.decisions import Outcome, Request, RequestKind
from domain.services.promote_version import PromoteVersion
from domain.services.roll_back import RollBack
from tests.fakes.journal import InMemoryJournal
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.mortal import FixedClock, Killed, MortalRegistry

SCHEMA = feature_schema(CLOCK)
AS_OF = 26_404_800  # minutes since 1970: 2020-03-15T16:00Z


@dataclass
class World:
    folder: Path
    registry: MortalRegistry = field(default_factory=MortalRegistry)
    journal: InMemoryJournal = field(default_factory=InMemoryJournal)
    orders: list[TrainingOrder] = field(default_factory=list)
    failures: list[TripcastError] = field(default_factory=list)
    outcome: str = "registered"

    def add(self) -> int:
        return self.registry.add(files_of(distance_package()), "distance", SCHEMA)

    async def train(self, order: TrainingOrder) -> None:
        """What the training process does: it remembers what came of it under the subject."""
        self.orders.append(order)
        if self.failures:
            raise self.failures.pop(0)
        version = self.add()
        details: dict[str, object] = {"outcome": self.outcome, "version": version, "why": "areas: a flood"}
        subject = order.subject or ""
        await self.journal.record(LifecycleEvent("retraining.finished", subject, "trainer", "", FixedClock().now(), details))
        if self.outcome == "refused":
            raise ModelRefused("version 2 is not used")

    async def answered(self, request: Request) -> tuple[str, int | None, str]:
        answer = await AnswerRequest(self.registry, self.journal, self.train, self._promote, self._roll_back, FixedClock())(
            request
        )
        return answer.outcome.value, answer.version, answer.reason

    async def _promote(self, version: int, request: Request) -> object:
        library = LocalModels(self.folder, SCHEMA)
        promote = PromoteVersion(self.registry, library, self.journal, self._announce, FixedClock())
        return await promote(version, "trainer", request.reason, request=request.subject, watch=True)

    async def _roll_back(self, request: Request) -> object:
        library = LocalModels(self.folder, SCHEMA)
        back = RollBack(self.registry, library, self.journal, self._announce, FixedClock())
        return await back("trainer", request.reason, request=request.subject)

    async def _announce(self, event: LifecycleEvent) -> None:
        pass

    def aliases(self) -> dict[str, int | None]:
        found = {alias: self.registry.resolve(alias) for alias in Alias}
        return {alias.value: version.version if version else None for alias, version in found.items()}

    def kinds(self) -> list[str]:
        return [str(event.kind) for event in self.journal.events]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Version 1 is champion."""
    monkeypatch.setattr("batch.patience.LONGEST_WAIT_SECONDS", 0.001)
    world = World(tmp_path)
    await world._promote(world.add(), asked(RequestKind.PROMOTION, subject="the first"))
    return world


def asked(kind: RequestKind, subject: str = "episode 1", **body: object) -> Request:
    return Request(kind, subject, "because", AS_OF, body)


RETRAINING = asked(RequestKind.RETRAINING, as_of=AS_OF, since_break=AS_OF - 60, exclude=[[AS_OF - 600, AS_OF - 540]])
PROMOTION = asked(RequestKind.PROMOTION, version=2, champion=1)
DISMISSAL = asked(RequestKind.DISMISSAL, version=2, champion=1)
ROLLBACK = asked(RequestKind.ROLLBACK, version=1, champion=2)


async def test_a_retraining_makes_a_challenger_and_leaves_the_champion(world: World) -> None:
    assert (await world.answered(RETRAINING))[:2] == ("registered", 2)
    assert world.aliases() == {"champion": 1, "challenger": 2, "previous": None}


async def test_a_training_is_ordered_in_event_time(world: World) -> None:
    await world.answered(RETRAINING)
    (order,) = world.orders
    assert order.options() == [
        "--reason=because",
        "--subject=episode 1",
        "--as-of=2020-03-15T16:00:00",
        "--since-break=2020-03-15T15:00:00",
        "--exclude=2020-03-15T06:00:00+00:00/2020-03-15T07:00:00+00:00",
    ]


async def test_a_retraining_that_was_answered_by_a_dead_trainer_is_not_trained_again(world: World) -> None:
    """It was killed after the training and before the alias, or before the answer."""
    world.registry.writes_left = 0
    with pytest.raises(Killed):
        await world.answered(RETRAINING)
    assert world.aliases()["challenger"] is None
    world.registry.writes_left = 1000
    assert (await world.answered(RETRAINING))[:2] == ("registered", 2)
    assert (await world.answered(RETRAINING))[:2] == ("registered", 2)
    assert len(world.orders) == 1
    assert world.aliases() == {"champion": 1, "challenger": 2, "previous": None}


async def test_a_refused_training_says_why_and_changes_nothing(world: World) -> None:
    world.outcome = "refused"
    assert await world.answered(RETRAINING) == ("refused", 2, "areas: a flood")
    assert world.aliases() == {"champion": 1, "challenger": None, "previous": None}


async def test_a_training_that_cannot_succeed_is_remembered_and_not_tried_again(world: World) -> None:
    world.failures = [NotEnoughTrips("12 trips")]
    for _ in range(2):
        assert await world.answered(RETRAINING) == ("failed", None, "12 trips")
    assert len(world.orders) == 1
    assert world.kinds() == ["model.promoted", "retraining.failed"]


async def test_busy_trainers_and_outages_are_waited_for(world: World) -> None:
    world.failures = [ConcurrentUpdate("another training"), DatabaseUnreachable("no PostgreSQL")]
    assert (await world.answered(RETRAINING))[0] == "registered"
    assert len(world.orders) == 3


async def test_a_training_process_that_dies_is_started_again_but_not_for_ever(world: World) -> None:
    world.failures = [PartFailed("killed")]
    assert (await world.answered(RETRAINING))[0] == "registered"
    world.failures = [PartFailed("killed")] * 9
    assert await world.answered(asked(RequestKind.RETRAINING, "episode 2")) == ("failed", None, "killed")
    assert len(world.orders) == 2 + 3


async def test_what_became_champion_while_the_trainer_was_dead_does_not_shadow_itself(world: World) -> None:
    world.registry.writes_left = 0
    with pytest.raises(Killed):
        await world.answered(RETRAINING)
    world.registry.writes_left = 1000
    await world._promote(2, asked(RequestKind.PROMOTION, "by hand"))
    assert (await world.answered(RETRAINING))[:2] == ("registered", 2)
    assert world.aliases() == {"champion": 2, "challenger": 1, "previous": 1}


async def test_a_promotion_leaves_the_old_champion_in_the_shadow(world: World) -> None:
    await world.answered(RETRAINING)
    assert await world.answered(PROMOTION) == ("done", 2, "version 2 is champion")
    assert world.aliases() == {"champion": 2, "challenger": 1, "previous": 1}


@pytest.mark.parametrize("writes", range(3))
async def test_a_promotion_that_died_anywhere_is_completed(world: World, writes: int) -> None:
    await world.answered(RETRAINING)
    world.registry.writes_left = writes
    with pytest.raises(Killed):
        await world.answered(PROMOTION)
    assert world.aliases()["champion"] in {1, 2}, "at no moment is there no champion"
    world.registry.writes_left = 1000
    for _ in range(2):
        assert (await world.answered(PROMOTION))[:2] == ("done", 2)
    assert world.aliases() == {"champion": 2, "challenger": 1, "previous": 1}
    assert world.kinds().count("model.promoted") == 2


async def test_a_promotion_that_people_have_taken_back_is_not_done_again(world: World) -> None:
    """The trainer was killed between doing and answering, and came back late."""
    await world.answered(RETRAINING)
    await world.answered(PROMOTION)
    await world._roll_back(asked(RequestKind.ROLLBACK, "by hand"))
    assert (await world.answered(PROMOTION))[0] == "done"
    assert world.aliases()["champion"] == 1


async def test_a_comparison_with_a_champion_that_is_gone_promotes_nobody(world: World) -> None:
    await world.answered(RETRAINING)
    world.registry.set_alias(Alias.CHAMPION, world.add())
    assert await world.answered(PROMOTION) == (
        "failed",
        2,
        "version 3 is champion now; the comparison was with version 1",
    )
    assert world.aliases()["champion"] == 3
    assert (await world.answered(ROLLBACK))[0] == "failed"


async def test_a_version_that_workers_would_refuse_is_not_promoted(world: World) -> None:
    await world.answered(RETRAINING)
    world.registry.replace_file(2, "model.onnx", b"something else")
    assert (await world.answered(PROMOTION))[0] == "failed"
    assert world.aliases()["champion"] == 1


async def test_a_request_that_does_not_say_which_version_is_answered_as_failed(world: World) -> None:
    outcome, _, reason = await world.answered(asked(RequestKind.PROMOTION))
    assert (outcome, reason) == ("failed", "the request for a promotion of episode 1 does not say which version")


async def test_a_dismissal_ends_the_shadow_of_that_version_alone(world: World) -> None:
    await world.answered(RETRAINING)
    assert (await world.answered(asked(RequestKind.DISMISSAL, version=7)))[0] == "done"
    assert world.aliases()["challenger"] == 2
    for _ in range(2):
        assert (await world.answered(DISMISSAL))[:2] == ("done", 2)
    assert world.aliases() == {"champion": 1, "challenger": None, "previous": None}


@pytest.mark.parametrize("writes", range(3))
async def test_a_rollback_that_died_anywhere_is_completed(world: World, writes: int) -> None:
    await world.answered(RETRAINING)
    await world.answered(PROMOTION)
    world.registry.writes_left = writes
    with pytest.raises(Killed):
        await world.answered(ROLLBACK)
    assert world.aliases()["champion"] in {1, 2}
    world.registry.writes_left = 1000
    for _ in range(2):
        assert await world.answered(ROLLBACK) == ("done", 1, "version 1 is champion again")
    assert world.aliases() == {"champion": 1, "challenger": None, "previous": None}
    assert world.kinds().count("model.rolled_back") == 1


async def test_a_rollback_without_a_way_back_is_answered_as_failed(world: World) -> None:
    assert (await world.answered(asked(RequestKind.ROLLBACK, version=1, champion=1)))[0] == "failed"


async def test_an_unreachable_registry_is_no_answer(world: World) -> None:
    world.registry.down = True
    for request in (PROMOTION, DISMISSAL, ROLLBACK):
        with pytest.raises(TripcastError, match="down"):
            await world.answered(request)


@pytest.mark.parametrize("kind", list(RequestKind))
async def test_every_kind_of_request_has_an_answer(world: World, kind: RequestKind) -> None:
    assert (await world.answered(asked(kind, version=1, champion=1)))[0] in list(Outcome)
