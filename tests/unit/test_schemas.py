"""Events as bytes, and the documents exported from them."""

import json
from datetime import datetime, timedelta, timezone

import jsonschema
import msgspec
import pytest

from schemas import documents
from schemas.events import Point, TripCompleted, TripEvent, TripStarted

EASTERN = timezone(timedelta(hours=-5))
STARTED = TripStarted("t1", 1, 2, datetime(2016, 1, 1, 0, 3, 2, tzinfo=EASTERN), Point(40.68, -73.97), Point(40.69, -73.98))


def test_the_exported_documents_match_the_code():
    assert documents.differences() == []


def test_a_changed_event_shows_as_a_difference(tmp_path):
    documents.export(tmp_path)
    (tmp_path / "trip.started.v1.schema.json").write_text("{}\n")
    (tmp_path / "trip.gone.v1.schema.json").write_text("{}\n")
    assert documents.differences(tmp_path) == ["trip.gone.v1.schema.json", "trip.started.v1.schema.json"]
    documents.export(tmp_path)
    assert documents.differences(tmp_path) == []


@pytest.mark.parametrize("event", [STARTED, TripCompleted("t1", STARTED.pickup_at, STARTED.pickup_at)])
def test_an_encoded_event_satisfies_its_exported_schema_and_decodes_to_itself(event):
    encoded = msgspec.json.encode(event)
    name = f"{event.__struct_config__.tag}.schema.json"
    schema = json.loads((documents.FOLDER / name).read_text())
    jsonschema.validate(json.loads(encoded), schema, cls=jsonschema.Draft202012Validator)
    assert msgspec.json.decode(encoded, type=TripEvent) == event


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"pickup_at": "2016-01-01T00:03:02"},
        {"vendor_id": "1"},
        {"vendor_id": 99_999},
        {"pickup": {"latitude": 91.0, "longitude": 0.0}},
        {"trip_id": ""},
    ],
)
def test_what_the_schema_forbids_does_not_decode(change):
    document = json.loads(msgspec.json.encode(STARTED)) | change
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(document), type=TripEvent)
