"""The events: topics, keys, headers and fields, from the exported documents."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from docs._generate.fields import fields
from docs._generate.markdown import code, join, json_block, sentence, table
from domain.entities.rejections import Reason
from schemas import headers
from schemas.documents import FOLDER
from schemas.events import (
    EVENTS,
    LifecycleChanged,
    Point,
    QualitySignal,
    SignalSpan,
    TripCompleted,
    TripPredicted,
    TripStarted,
)
from schemas.topics import MAX_EVENT_BYTES, TOPICS, Topic

DAY_MS = 24 * 3600 * 1000
PICKUP, DROPOFF = datetime(2025, 3, 14, 21, 30, tzinfo=UTC), datetime(2025, 3, 14, 22, 14, 5, tzinfo=UTC)
EXAMPLES: dict[type[msgspec.Struct], msgspec.Struct] = {
    TripStarted: TripStarted("trip-4711", 1, 2, PICKUP, Point(40.7527, -73.9772), Point(40.6413, -73.7781)),
    TripCompleted: TripCompleted("trip-4711", PICKUP, DROPOFF),
    TripPredicted: TripPredicted("trip-4711", 2741.6, 1932.0, 3795.4, 1, "7b6c087b23a0", PICKUP, 3, 4711),
    LifecycleChanged: LifecycleChanged("model.promoted", "version 2", "trainer", "ahead in 1,400 pairs", DROPOFF),
    QualitySignal: QualitySignal(1, [SignalSpan(3, 4700, 4712, 1741987800000000, caught_up=True)], {}, 1, 0, "worker-1"),
}
HEADERS = {
    headers.TRACEPARENT: ("trip-events, trip-predictions", "W3C Trace Context, from the producer"),
    headers.REPLAY_OF: ("trip-events", "on a replayed dead letter: topic/partition/offset of the original"),
    headers.REASON: ("trip-quarantine", "the reason's name, as in `tripcast dead-letters list`"),
    headers.DETAIL: ("trip-quarantine", "one sentence for people"),
    headers.ORIGIN: ("trip-quarantine", "topic/partition/offset of the refused record"),
    headers.ORIGIN_TIMESTAMP: ("trip-quarantine", "its timestamp, RFC 3339"),
}


def page() -> str:
    """The page."""
    document = json.loads((FOLDER / "asyncapi.json").read_text(encoding="utf-8"))
    carries = {name: list(channel["messages"]) for name, channel in document["channels"].items()}
    return join(
        "# Events",
        "What is on Kafka. The exact contract is [asyncapi.json](../../schemas/exported/asyncapi.json) (AsyncAPI "
        f"{document['asyncapi']}) and one JSON Schema for each event beside it; `tripcast schemas check` compares them with "
        "the code. A field is never changed or removed: what is incompatible is a new version, and the old one stays readable.",
        "## Topics",
        "`TRIPCAST_TOPIC_PREFIX` goes before every name. `tripcast migrate` creates them; the broker never does by itself.",
        table(("topic", "what for", "events", "partitions", "kept"), (_topic(topic, carries[topic.name]) for topic in TOPICS)),
        f"Events of a trip have its id as their key, and so are in order. An event above {MAX_EVENT_BYTES // 1024} KiB is "
        "refused undecoded.",
        "## Headers",
        table(("header", "on", "value"), ((code(name), *HEADERS[name]) for name in _known_headers())),
        "## Reasons",
        "Why an event, a row of a file or a request is refused; the same names in reports, metrics and dead letters.",
        table(("reason", "meaning"), ((code(reason.value), reason.description) for reason in Reason)),
        *(_event(event) for event in EVENTS),
    )


def _topic(topic: Topic, events: Sequence[str]) -> Sequence[str]:
    partitions = str(topic.partitions or "`TRIPCAST_PARTITIONS`")
    linked = ", ".join(f"[{tag}](#{tag.replace('.', '')})" if tag != "refused" else "whatever was refused" for tag in events)
    return code(topic.name), topic.purpose, linked, partitions, f"{topic.retention_ms // DAY_MS} days"


def _known_headers() -> list[str]:
    """All of them, told or not: a new one without its line ends the build with a KeyError."""
    return [value for name, value in vars(headers).items() if name.isupper()]


def _event(event: type[msgspec.Struct]) -> str:
    tag = str(event.__struct_config__.tag)
    schema: dict[str, Any] = json.loads((FOLDER / f"{tag}.schema.json").read_text(encoding="utf-8"))
    parts = schema.get("$defs", {})
    return join(
        f"## {tag}",
        sentence(schema["description"]),
        fields(schema),
        *(join(f"### {name}", sentence(part.get("description", "")), fields(part)) for name, part in _new(event, parts)),
        "An example:",
        json_block(json.loads(msgspec.json.encode(EXAMPLES[event]))),
    )


def _new(event: type[msgspec.Struct], parts: dict[str, Any]) -> list[tuple[str, Any]]:
    """Shared parts are told where they are met first."""
    before = EVENTS[: EVENTS.index(event)]
    known = {
        name
        for each in before
        for name in json.loads((FOLDER / f"{each.__struct_config__.tag}.schema.json").read_text()).get("$defs", {})
    }
    return [(name, part) for name, part in parts.items() if name not in known]
