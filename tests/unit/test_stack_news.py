"""What the live screen tells of the closed loop: each thing once, nothing old, nothing lost to an outage."""

from datetime import UTC, datetime

from cli.stack.news import News
from domain.entities.models import LifecycleEvent


def event(kind: str, reason: str = "why") -> LifecycleEvent:
    return LifecycleEvent(kind, "episode 1", "monitor", reason, datetime(2025, 1, 6, tzinfo=UTC))


class Journal:
    """Events by number from 1; away while `down`."""

    def __init__(self, *events: LifecycleEvent) -> None:
        self.events, self.down = [*events], False

    def read(self, after: int | None) -> tuple[int, list[LifecycleEvent]] | None:
        if self.down:
            return None
        return len(self.events), [] if after is None else self.events[after:]


def test_what_happened_before_the_first_look_is_not_told() -> None:
    news = News(Journal(event("drift.confirmed")).read)
    assert news.fresh() == []
    assert news.fresh() == []


def test_each_event_is_told_once_and_in_order() -> None:
    journal = Journal()
    news = News(journal.read)
    news.fresh()
    journal.events += [event("drift.confirmed", "trips take longer"), event("model.promoted")]
    assert [item.text for item in news.fresh()] == [
        "drift confirmed: episode 1: trips take longer",
        "model promoted: episode 1: why",
    ]
    assert news.fresh() == []


def test_an_outage_delays_the_news_and_loses_none() -> None:
    journal = Journal()
    news = News(journal.read)
    news.fresh()
    journal.down = True
    journal.events.append(event("feed.fault"))
    assert news.fresh() == []
    journal.down = False
    [item] = news.fresh()
    assert item.alarming


def test_a_single_alarm_is_no_news() -> None:
    journal = Journal()
    news = News(journal.read)
    news.fresh()
    journal.events.append(event("drift.alarm"))
    assert news.fresh() == []
