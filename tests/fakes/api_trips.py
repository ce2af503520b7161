"""Canned documents of the stand-in API about trips: what is stored, what was refused, what all of them look like."""

import base64
import math
from datetime import timedelta
from typing import Any

from schemas.http import trips as of_trips
from tests.fakes.api_documents import NOW


def database_stats() -> of_trips.DatabaseStats:
    tables = [
        ("trips", 1_458_000, 402_653_184),
        ("predictions", 1_460_210, 318_767_104),
        ("completions", 1_440_330, 201_326_592),
    ]
    return of_trips.DatabaseStats(
        bytes=1_073_741_824,
        tables=[of_trips.TableSize(name=name, rows=rows, exact=False, bytes=size) for name, rows, size in tables],
        first_pickup_at=NOW - timedelta(days=180),
        last_pickup_at=NOW,
        connections=14,
    )


def dead_letter(dead_letter_id: int, *, whole: bool = False) -> of_trips.DeadLetter:
    text = '{"type": "trip.started.v1", "trip_id": 17,'
    contents: dict[str, Any] = {
        "key_base64": base64.b64encode(b"17").decode(),
        "value_base64": base64.b64encode(text.encode()).decode(),
        "text": text,
        "headers": [("traceparent", base64.b64encode(b"00-4bf92f3577b34da6-00f067aa0ba902b7-01").decode())],
    }
    return of_trips.DeadLetter(
        dead_letter_id=dead_letter_id,
        topic="trip-events",
        partition=3,
        offset=120_400 + dead_letter_id,
        record_at=NOW - timedelta(minutes=dead_letter_id),
        recorded_at=NOW - timedelta(minutes=dead_letter_id),
        replayed_at=None,
        reason="undecodable" if dead_letter_id % 3 else "outside_area",
        description="The bytes are not JSON." if dead_letter_id % 3 else "The trip begins or ends outside the service area.",
        detail="invalid character at byte 17" if dead_letter_id % 3 else "pickup.latitude 12.1 is not within 40.5 and 41.0",
        **(contents if whole else {}),
    )


def dead_letters(reason: str | None) -> of_trips.DeadLetters:
    letters = [dead_letter(number) for number in range(1, 31)]
    reasons = [
        of_trips.ReasonCount(reason="undecodable", description="The bytes are not JSON.", count=20, last_hour=3, newest_at=NOW),
        of_trips.ReasonCount(
            reason="outside_area",
            description="The trip begins or ends outside the service area.",
            count=10,
            last_hour=0,
            newest_at=NOW,
        ),
    ]
    return of_trips.DeadLetters(reasons=reasons, letters=[each for each in letters if reason in {None, each.reason}])


def replayed() -> of_trips.Replayed:
    return of_trips.Replayed(chosen=20, published=20)


def trips_summary() -> of_trips.TripsSummary:
    def hours(count: int) -> list[of_trips.HourOfTrips]:
        return [
            of_trips.HourOfTrips(
                number=number,
                trips=int(62_000 - abs(number - count * 0.75) * 3000),
                mean_minutes=11 + 5 * math.sin(number / 4) ** 2,
            )
            for number in range(count)
        ]

    edges = [float(edge) for edge in range(0, 42, 2)]
    distributions = [
        of_trips.Distribution(name=name, unit=unit, edges=edges, counts=[90_000 // (1 + abs(place - 4)) for place in range(20)])
        for name, unit in (("distance", "km"), ("duration", "min"), ("speed", "km/h"))
    ]
    refused = [of_trips.RefusedRows(reason="too_fast", description="Faster than 150 km/h.", count=412)]
    return of_trips.TripsSummary(
        as_of=NOW,
        trips=1_458_000,
        exact=False,
        sample_share=0.05,
        mean_minutes=14.1,
        vendors={"1": 678_342, "2": 779_658},
        first_pickup_at=NOW - timedelta(days=180),
        last_pickup_at=NOW,
        hours=hours(24),
        weekdays=hours(7),
        distributions=distributions,
        refused_rows=refused,
        quarantined=refused,
    )
