"""The documents exported from the code: one JSON Schema per event and one AsyncAPI 3 document; their diff is reviewed.

`tripcast schemas export` writes them beside this file, `tripcast schemas check` (in `make check`) fails when they differ.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.events import EVENTS
from schemas.topics import MODEL_LIFECYCLE, QUALITY_SIGNALS, TRIP_EVENTS, TRIP_PREDICTIONS, TRIP_QUARANTINE, Topic

FOLDER = Path(__file__).parent / "exported"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
CARRIES: dict[Topic, tuple[str, ...]] = {
    TRIP_EVENTS: ("trip.started.v1", "trip.completed.v1"),
    TRIP_PREDICTIONS: ("trip.predicted.v1",),
    QUALITY_SIGNALS: ("quality.signal.v1",),
    MODEL_LIFECYCLE: ("lifecycle.v1",),
}


def documents() -> dict[str, str]:
    """Every exported document by file name, as text that does not depend on when or where it was made."""
    files = {f"{_tag(event)}.schema.json": _text(_json_schema(event)) for event in EVENTS}
    return files | {"asyncapi.json": _text(_asyncapi())}


def export(folder: Path = FOLDER) -> list[Path]:
    """Write all documents and remove those that no event has any more; returns what was written."""
    folder.mkdir(exist_ok=True)
    wanted = documents()
    for stale in set(folder.glob("*.json")) - {folder / name for name in wanted}:
        stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in wanted]


def differences(folder: Path = FOLDER) -> list[str]:
    """Names of documents that are missing, stale or different from the code; empty when all is well."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def _json_schema(event: type[msgspec.Struct]) -> dict[str, Any]:
    (reference,), definitions = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    body = definitions.pop(reference["$ref"].rsplit("/", 1)[1])
    schema = {"$schema": DIALECT, "$id": f"urn:tripcast:{_tag(event)}", **body}
    return schema | {"$defs": definitions} if definitions else schema


def _asyncapi() -> dict[str, Any]:
    channels, operations = {}, {}
    for topic, tags in CARRIES.items():
        channels[topic.name] = {
            "address": topic.name,
            "description": topic.purpose,
            "messages": {tag: {"$ref": f"#/components/messages/{tag}"} for tag in tags},
        }
    channels[TRIP_QUARANTINE.name] = {
        "address": TRIP_QUARANTINE.name,
        "description": TRIP_QUARANTINE.purpose,
        "messages": {"refused": {"$ref": "#/components/messages/refused"}},
    }
    for name, action, topic in (
        ("readTrips", "receive", TRIP_EVENTS),
        ("publishPredictions", "send", TRIP_PREDICTIONS),
        ("publishRefused", "send", TRIP_QUARANTINE),
        ("sendSignals", "send", QUALITY_SIGNALS),
        ("followModels", "receive", MODEL_LIFECYCLE),
    ):
        operations[name] = {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}
    messages: dict[str, Any] = {_tag(event): _message(event) for event in EVENTS}
    messages["refused"] = {
        "summary": "The refused record, byte for byte, with headers that say why and where it came from.",
        "contentType": "application/octet-stream",
        "payload": {},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tripcast events",
            "version": "1.0.0",
            "description": "Trips in, predictions out. Topics are created by `tripcast migrate`.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _message(event: type[msgspec.Struct]) -> dict[str, Any]:
    payload = _json_schema(event)
    definitions = payload.pop("$defs", {})
    inlined = json.loads(_inline(json.dumps(payload), definitions))
    return {"summary": (event.__doc__ or "").splitlines()[0], "contentType": "application/json", "payload": inlined}


def _inline(text: str, definitions: dict[str, Any]) -> str:
    """AsyncAPI resolves references from its own root, so the few shared definitions are put in place."""
    for name, body in definitions.items():
        text = text.replace(json.dumps({"$ref": f"#/$defs/{name}"}), json.dumps(body))
    return text


def _tag(event: type[msgspec.Struct]) -> str:
    return str(event.__struct_config__.tag)


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
