"""`--once`: drained means that the source has ended and all of it is handled and published."""

import pytest

from cli.stack import once
from cli.stack.once import Drain, Progress, behind
from cli.stack.summary import Summary
from cli.stack.units import State, Unit
from domain.entities.streams import Position
from domain.errors import AuditFailed, PartFailed


class Readings:
    """Gives one reading after the other, the last for ever."""

    def __init__(self, *readings: Progress | None) -> None:
        self.left = list(readings)

    def __call__(self) -> Progress | None:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def source(state: State) -> Unit:
    return Unit("source", lambda: NotImplemented, state=state)


def asked_until(drain: Drain, times: int) -> bool:
    """Ask until it is done, or `times` readings were taken."""
    for _ in range(times):
        if drain.is_done():
            return True
        if drain._work:
            drain._work._thread.join()
    return drain.is_done()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "EVERY_SECONDS", 0.0)


def test_it_is_not_done_while_the_source_runs() -> None:
    assert not asked_until(Drain(source(State.STARTING), Readings(Progress(0, 0, 10))), times=5)


def test_it_is_done_when_nothing_is_behind_and_nothing_unpublished() -> None:
    drain = Drain(source(State.ENDED), Readings(Progress(5, 0, 5), None, Progress(0, 3, 10), Progress(0, 0, 10)))
    assert asked_until(drain, times=10)
    assert drain.events == 10


@pytest.mark.parametrize("short", [Progress(1, 0, 9), Progress(0, 1, 10)])
def test_one_event_that_is_missing_is_enough_to_wait(short: Progress) -> None:
    assert not asked_until(Drain(source(State.ENDED), Readings(short)), times=5)


def test_a_drain_that_does_not_move_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "STALLED_SECONDS", -1.0)
    with pytest.raises(PartFailed, match="nothing has moved"):
        asked_until(Drain(source(State.ENDED), Readings(None)), times=3)


def test_a_summary_is_ok_only_with_both_proofs() -> None:
    Summary({"ok": True}).check()
    with pytest.raises(AuditFailed):
        Summary({"ok": False}).check()


def test_a_partition_that_was_never_read_is_all_behind_and_one_read_later_is_not_ahead() -> None:
    assert behind({0: Position(0, 0, next_offset=12, published_offset=12)}, {0: 10, 1: 7}) == 7
