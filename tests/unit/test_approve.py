"""Approval of an episode: recorded once, for an episode that exists."""

from datetime import UTC, datetime

import pytest

from domain.entities.models import LifecycleEvent
from domain.errors import InvalidInput
from domain.services.approve_training import ApproveTraining
from tests.fakes.journal import InMemoryJournal

NOW = datetime(2025, 1, 6, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


def approving(journal: InMemoryJournal, announced: list[LifecycleEvent]) -> ApproveTraining:
    async def announce(event: LifecycleEvent) -> None:
        announced.append(event)

    return ApproveTraining(journal, announce, Clock())


async def test_an_approval_is_recorded_and_announced_once() -> None:
    journal = InMemoryJournal([LifecycleEvent("drift.confirmed", "episode 3", "monitor", "", NOW)])
    announced: list[LifecycleEvent] = []
    approve = approving(journal, announced)
    first = await approve(3, "ada", "the bridge is closed")
    again = await approve(3, "bob", "")
    assert first is again
    assert [(event.kind, event.subject, event.actor) for event in announced] == [("retraining.approved", "episode 3", "ada")]
    assert journal.events[1:] == announced


async def test_an_episode_that_nobody_knows_cannot_be_approved() -> None:
    journal = InMemoryJournal([LifecycleEvent("drift.confirmed", "episode 3", "monitor", "", NOW)])
    with pytest.raises(InvalidInput, match="no episode 4"):
        await approving(journal, [])(4, "ada", "")
    assert len(journal.events) == 1
