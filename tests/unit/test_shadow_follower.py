"""What the worker does with news of a challenger: it is counted, and a message on `model-lifecycle` is a reason to ask."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.events import LifecycleChanged
from stream.app import tells_of_models
from stream.follower import ShadowFollower
from stream.metrics import Metrics
from tests.fakes.champion import ArithmeticModel, FixedShadow
from tests.running import until


def value(metrics: Metrics, name: str) -> float:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


async def test_who_shadows_is_told_and_who_fails_shadows_no_more() -> None:
    model, metrics = ArithmeticModel(7), Metrics()
    shadow = FixedShadow(model)
    follower = ShadowFollower(shadow, metrics, poll_seconds=3600.0)

    async def told(version: int) -> bool:
        return value(metrics, "tripcast_challenger_version") == version

    following = asyncio.create_task(follower.follow(lambda: False))
    await until(partial(told, 7))
    follower.failed(model, "no memory")
    await until(partial(told, 0))  # asked at once, not in an hour
    following.cancel()
    assert shadow.beside(ArithmeticModel(1)) is None
    assert value(metrics, "tripcast_challenger_refused_total") == 1


@pytest.mark.parametrize(
    ("kind", "does"),
    [
        ("model.promoted", True),
        ("model.rolled_back", True),
        ("challenger.accepted", True),
        ("challenger.dismissed", True),
        ("retraining.finished", True),
        ("retraining.requested", False),
        ("drift.alarm", False),
    ],
)
def test_messages_that_tell_of_models(kind: str, does: bool) -> None:
    message = LifecycleChanged(kind, "episode 1", "trainer", "because", datetime(2026, 1, 1, tzinfo=UTC))
    assert tells_of_models(msgspec.json.encode(message)) is does


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b'{"type": "other"}'])
def test_what_is_no_message_tells_nothing(content: bytes) -> None:
    assert not tells_of_models(content)
