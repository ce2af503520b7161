"""What stored trips look like together: by hour, by weekday, and how far, how long and how fast. Pure; days are the city's."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.entities.rejections import Reason
from domain.entities.trip_samples import TripSample
from domain.entities.trips import Floats
from domain.features import CityClock, distance_km_of
from schemas.http.trips import Distribution, HourOfTrips, RefusedRows, TripsSummary

# The last bin of each holds what lies beyond it too.
DISTANCE_KM = np.arange(0.0, 31.0, 1.0)
DURATION_MINUTES = np.arange(0.0, 92.5, 2.5)
SPEED_KMH = np.arange(0.0, 84.0, 4.0)
MONDAY = 3  # 1970-01-01 was a Thursday
SECONDS_AN_HOUR = 3600.0
DESCRIPTIONS = {str(reason): reason.description for reason in Reason}


def summary(
    sample: TripSample, clock: CityClock, refused: Mapping[str, int], quarantined: Mapping[str, int], now: datetime
) -> TripsSummary:
    """Counts by hour, weekday and vendor are scaled up to all trips; distributions are the sample's own."""
    trips, ended = sample.trips, ~np.isnan(sample.duration_seconds)
    local = clock.local(trips.pickup_at)
    days = local.astype("datetime64[D]").astype(np.int64)
    hours = (local.astype("datetime64[h]").astype(np.int64) % 24).astype(np.int64)
    minutes = sample.duration_seconds / 60
    scale = 1 / sample.share
    vendors, counts = np.unique(trips.vendor_id, return_counts=True)
    return TripsSummary(
        as_of=now,
        trips=sample.total,
        exact=sample.exact,
        sample_share=sample.share,
        mean_minutes=_mean(minutes[ended]),
        vendors={str(vendor): round(count * scale) for vendor, count in zip(vendors.tolist(), counts.tolist(), strict=True)},
        first_pickup_at=_instant(trips.pickup_at.min()) if len(trips) else None,
        last_pickup_at=_instant(trips.pickup_at.max()) if len(trips) else None,
        hours=_by(hours, 24, minutes, scale),
        weekdays=_by((days + MONDAY) % 7, 7, minutes, scale),
        distributions=_distributions(sample, ended),
        refused_rows=_refused(refused),
        quarantined=_refused(quarantined),
    )


def _by(number: NDArray[np.int64], count: int, minutes: Floats, scale: float) -> list[HourOfTrips]:
    ended = ~np.isnan(minutes)
    trips = np.bincount(number, minlength=count)
    known = np.bincount(number[ended], minlength=count)
    total = np.bincount(number[ended], weights=minutes[ended], minlength=count)
    return [
        HourOfTrips(
            number=place,
            trips=round(float(trips[place]) * scale),
            mean_minutes=float(total[place] / known[place]) if known[place] else None,
        )
        for place in range(count)
    ]


def _distributions(sample: TripSample, ended: NDArray[np.bool_]) -> list[Distribution]:
    distance_km = distance_km_of(sample.trips)
    seconds = sample.duration_seconds[ended]
    moving = seconds > 0
    speed_kmh = distance_km[ended][moving] / (seconds[moving] / SECONDS_AN_HOUR)
    return [
        _distribution("distance", "km", distance_km, DISTANCE_KM),
        _distribution("duration", "min", seconds / 60, DURATION_MINUTES),
        _distribution("speed", "km/h", speed_kmh, SPEED_KMH),
    ]


def _distribution(name: str, unit: str, values: Floats, edges: Floats) -> Distribution:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Distribution(name=name, unit=unit, edges=edges.tolist(), counts=counts.tolist())


def _refused(counts: Mapping[str, int]) -> list[RefusedRows]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [RefusedRows(reason=reason, description=DESCRIPTIONS.get(reason, ""), count=count) for reason, count in ordered]


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _instant(at: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(at.astype("datetime64[us]").astype(np.int64)) / 1e6, UTC)
