"""Telling people: once, in order, nothing that is no news; and a webhook that is down or refuses harms nothing."""

import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adapters.slack.webhook import Webhook
from batch.notify import HEADLINES, Notify
from batch.stalls import WatchProgress
from domain.entities.models import LifecycleEvent
from domain.errors import InvalidInput, Unreachable
from tests.fakes.journal import InMemoryJournal

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@dataclass
class Chat:
    """A real HTTP server that takes messages as Slack does; `statuses` are given out first, then 200."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    asked: int = 0


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    monkeypatch.setattr("adapters.slack.webhook.LONGEST_WAIT_SECONDS", 0.001)
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            chat.asked += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = chat.statuses.pop(0) if chat.statuses else 200
            if status == 200:
                chat.taken.append(body["text"])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"ok" if status == 200 else b"invalid_token")

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    chat.address = f"http://127.0.0.1:{server.server_port}/services/T0/B0/secret"
    yield chat
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class InMemoryUntold:
    events: list[LifecycleEvent]
    position: int = 0

    async def next(self, kinds: Sequence[str], limit: int = 50) -> Sequence[tuple[int, LifecycleEvent, bool]]:
        rows = list(enumerate(self.events, start=1))[self.position :]
        known = [event for _, event in rows if event.kind in kinds]
        return [(number, event, event in self.events[: number - 1]) for number, event in rows if event in known][:limit]

    async def told(self, event_id: int) -> None:
        self.position = max(self.position, event_id)


@asynccontextmanager
async def alone() -> AsyncIterator[None]:
    yield


def event(kind: str, subject: str = "episode 1", reason: str = "trips take 40% less", **details: object) -> LifecycleEvent:
    return LifecycleEvent(kind, subject, "monitor", reason, AT, details)


def notify(untold: InMemoryUntold, chat: Chat) -> Notify:
    return Notify(untold, Webhook(chat.address).post, alone, 0.001)


async def test_what_matters_is_told_in_order_and_once(chat: Chat) -> None:
    untold = InMemoryUntold([event("drift.confirmed"), event("drift.alarm"), event("model.promoted", "version 2", "better")])
    for _ in range(3):
        await notify(untold, chat).tell()
    assert chat.taken == [
        "Drift confirmed: episode 1. trips take 40% less (by monitor, 2026-03-01 12:30 UTC)",
        "A new champion: version 2. better (by monitor, 2026-03-01 12:30 UTC)",
    ]


async def test_a_training_is_news_only_when_it_was_refused(chat: Chat) -> None:
    good = event("retraining.finished", outcome="registered", version=2)
    bad = event("retraining.finished", outcome="refused", why="areas: area 66 has 80% of the newest trips")
    await notify(InMemoryUntold([good, bad]), chat).tell()
    assert len(chat.taken) == 1
    assert chat.taken[0].startswith("A training was refused: episode 1. areas: area 66 has 80%")


async def test_a_training_that_waits_for_time_to_pass_is_no_news(chat: Chat) -> None:
    await notify(InMemoryUntold([event("retraining.held", reason="the budget of 2 trainings a day is spent")]), chat).tell()
    assert chat.taken == []


async def test_a_repetition_is_no_news(chat: Chat) -> None:
    untold = InMemoryUntold([event("feed.fault"), event("feed.fault"), event("feed.fault", reason="another")])
    await notify(untold, chat).tell()
    assert len(chat.taken) == 2
    assert untold.position == 3


@pytest.mark.parametrize("kind", HEADLINES)
async def test_every_kind_has_words(chat: Chat, kind: str) -> None:
    await notify(InMemoryUntold([event(kind, reason="waits for approval", outcome="refused")]), chat).tell()
    assert chat.taken[0].startswith(HEADLINES[kind])


async def test_a_webhook_that_is_down_gets_the_message_later_and_no_other_before_it(chat: Chat) -> None:
    untold = InMemoryUntold([event("drift.confirmed"), event("model.promoted")])
    chat.statuses = [503, 429, 500, 503, 200]
    with pytest.raises(Unreachable):
        await notify(untold, chat).tell()
    assert (untold.position, chat.taken) == (0, [])
    await notify(untold, chat).tell()
    assert [text.partition(":")[0] for text in chat.taken] == ["Drift confirmed", "A new champion"]
    assert chat.asked == 6


async def test_a_webhook_that_refuses_does_not_hold_up_the_rest(chat: Chat) -> None:
    untold = InMemoryUntold([event("drift.confirmed"), event("model.promoted")])
    chat.statuses = [404]
    await notify(untold, chat).tell()
    assert [text.partition(":")[0] for text in chat.taken] == ["A new champion"]
    assert chat.asked == 2


def test_texts_cannot_mention_everybody(chat: Chat) -> None:
    Webhook(chat.address).post("<!channel> & <@U1>")
    assert chat.taken == ["&lt;!channel&gt; &amp; &lt;@U1&gt;"]


def test_the_secret_part_of_the_address_is_in_no_error(chat: Chat) -> None:
    chat.statuses = [403]
    with pytest.raises(InvalidInput, match=r"127\.0\.0\.1 refuses messages: 403 invalid_token") as refused:
        Webhook(chat.address).post("x")
    with pytest.raises(Unreachable, match="does not answer") as down:
        Webhook("http://127.0.0.1:1/services/secret", seconds=0.5).post("x")
    assert "secret" not in f"{refused.value}{down.value}{Webhook(chat.address)!r}"
    with pytest.raises(InvalidInput, match="TRIPCAST_WEBHOOK"):
        Webhook("hooks.slack.com/services")


@dataclass
class Stream:
    stored: dict[int, int]
    ends: dict[int, int]
    now: float = 0.0
    journal: InMemoryJournal = field(default_factory=InMemoryJournal)

    async def offsets(self) -> tuple[dict[int, int], dict[int, int]]:
        return self.stored, self.ends

    def seconds(self) -> float:
        return self.now

    def watch(self) -> WatchProgress:
        class FixedClock:
            def now(self) -> datetime:
                return AT

        return WatchProgress(self.offsets, self.journal, alone, FixedClock(), self.seconds, 10.0)

    def kinds(self) -> list[str]:
        return [each.kind for each in self.journal.events]


async def looks(stream: Stream, watch: WatchProgress, times: int, read: int = 0) -> None:
    for _ in range(times):
        await watch.look()
        stream.now += 10
        stream.stored = {number: min(offset + read, stream.ends[number]) for number, offset in stream.stored.items()}


async def test_a_standstill_is_noticed_once_and_its_end_too() -> None:
    stream = Stream({0: 5, 1: 7}, {0: 5, 1: 900})
    watch = stream.watch()
    await looks(stream, watch, 3)
    assert stream.kinds() == []
    await looks(stream, watch, 5)
    assert stream.kinds() == ["worker.stalled"]
    assert stream.journal.events[0].reason == "893 events wait in partitions 1, and nobody reads them"
    await looks(stream, watch, 5, read=100)
    assert stream.kinds() == ["worker.stalled", "worker.resumed"]


async def test_a_slow_worker_and_an_idle_topic_are_no_standstill() -> None:
    stream = Stream({0: 5, 1: 900}, {0: 5, 1: 10**6})
    await looks(stream, stream.watch(), 20, read=1)
    assert stream.kinds() == []


async def test_a_watcher_that_is_started_anew_says_nothing_twice() -> None:
    stream = Stream({0: 5}, {0: 900})
    await looks(stream, stream.watch(), 5)
    await looks(stream, stream.watch(), 5)
    assert stream.kinds() == ["worker.stalled"]
