"""A made-up city for the stand-in API: what the page Live and the page Drift are drawn from, moving with the clock."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from schemas.http import quality as of_quality
from schemas.http import snapshot as of
from schemas.http import trips as of_trips
from schemas.http.base import Period
from schemas.http.snapshot import Panel
from tests.fakes.api_panels import Parts
from tests.fakes.made_up import COLUMNS, EAST, NORTH, SECONDS, SOUTH, STEP, WEST, event, wall, wave

SIGNALS = (
    ("log_ratio", "Error: log of predicted over actual", "log ratio", 0.05),
    ("prediction", "Mean predicted duration", "min", 3.0),
    ("distance", "Trip distance", "km", 2.0),
    ("missing", "Share of missing fields", "share", 0.01),
    ("completion", "Completed within the hour", "share", 0.04),
)


@dataclass
class City:
    """Turn its fields to bring it into a state; `broken` names panels whose query fails."""

    state: of.State = "live"
    broken: frozenset[str] = frozenset()
    clock: Callable[[], float] = time.time
    frozen_at: float | None = None  # wall time at which events or the database stopped
    alarmed: bool = True

    def snapshot(self, boot: str, period: str, area: int | None) -> of.Snapshot:
        """What GET /snapshot answers."""
        now = self.clock()
        told: Period = period if period in SECONDS else "15m"
        parts = Parts(self, self.frozen_at or now, told, area)
        return of.Snapshot(
            boot=boot,
            seq=int(now),
            taken_at=wall(now),
            period=told,
            area=area,
            status=self._status(now),
            cards=self._panel("cards", parts.cards, now),
            traffic=self._panel("traffic", parts.traffic, now),
            error=self._panel("error", parts.error, now, every=5),
            drift=self._panel("drift", self.drift, now, every=5),
            retraining=self._panel("retraining", parts.retraining, now, every=10),
            map=self._panel("map", parts.map, now, every=2),
            trips=self._panel("trips", parts.trips, now),
        )

    def areas(self) -> of.Areas:
        """What GET /areas answers."""
        cells = []
        for number in range(120):
            row, column = divmod(number, COLUMNS)
            south, west = SOUTH + row * STEP, WEST + column * STEP
            cells.append(
                of.Area(
                    area=number,
                    name=f"{south + STEP / 2:.3f},{west + STEP / 2:.3f}",
                    south=south,
                    west=west,
                    north=south + STEP,
                    east=west + STEP,
                )
            )
        return of.Areas(areas=cells, south=SOUTH, west=WEST, north=NORTH, east=EAST)

    def drift(self) -> of_quality.Drift:
        """What GET /drift answers."""
        now = self.frozen_at or self.clock()
        if self.state in {"no_data", "booting"}:
            return of_quality.Drift(
                phase=None, phase_text="Nothing is watched before the first predictions.", episode=None, signals=[]
            )
        return of_quality.Drift(
            phase="shadowing" if self.alarmed else "watching",
            phase_text="Version 8 shadows the champion: 1 240 of 2 000 paired trips."
            if self.alarmed
            else "Watching; nothing is wrong.",
            episode="drift:2026-03-02T13:20" if self.alarmed else None,
            signals=[self._signal(number, now, 90) for number in range(len(SIGNALS))],
        )

    def drift_detail(self, name: str) -> of_quality.DriftDetail:
        """What GET /drift/{signal} answers."""
        number = [signal for signal, *_ in SIGNALS].index(name) if name in {signal for signal, *_ in SIGNALS} else None
        if number is None:
            raise LookupError(name)
        now = self.frozen_at or self.clock()
        signal, edges = self._signal(number, now, 360), [-1 + step * 0.1 for step in range(21)]
        bell = [round(4000 * math.exp(-((edge + 0.05) ** 2) / 0.08)) for edge in edges[:-1]]
        moved = [round(1500 * math.exp(-((edge - 0.13) ** 2) / 0.1)) for edge in edges[:-1]]
        return of_quality.DriftDetail(
            signal=signal,
            alarms=[signal.last_alarm_at] if signal.last_alarm_at else [],
            reference_since=event(now) - timedelta(hours=30),
            recent_since=event(now) - timedelta(hours=2),
            histogram=of_quality.Histogram(edges=edges, reference=bell, recent=moved),
        )

    def trip(self, trip_id: str) -> of_trips.Trip:
        """What GET /trips/{trip_id} answers."""
        rows = Parts(self, self.frozen_at or self.clock(), "15m", None).trips().rows
        row = next((row for row in rows if row.trip_id == trip_id), None)
        if row is None:
            raise LookupError(trip_id)
        said = of_trips.TripPrediction(
            role="champion",
            model_version=row.model_version,
            feature_schema="f3",
            duration_seconds=row.predicted_seconds,
            lower_seconds=row.lower_seconds,
            upper_seconds=row.upper_seconds,
            scored_at=row.recorded_at,
        )
        actual = row.actual_seconds
        return of_trips.Trip(
            trip_id=row.trip_id,
            vendor_id=2,
            passenger_count=1,
            pickup_at=row.pickup_at,
            pickup=row.pickup,
            dropoff=row.dropoff,
            recorded_at=row.recorded_at,
            topic="trip-events",
            partition=row.partition,
            offset=row.offset,
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            predictions=[said],
            dropoff_at=row.pickup_at + timedelta(seconds=actual) if actual else None,
            actual_seconds=actual,
            error_seconds=row.predicted_seconds - actual if actual else None,
            within_interval=row.lower_seconds <= actual <= row.upper_seconds if actual else None,
            raw_event={"type": "trip.started", "version": 1, "trip_id": row.trip_id, "vendor_id": 2, "passenger_count": 1},
        )

    def _status(self, now: float) -> of.Status:
        words = {
            "booting": "Migrating the database.",
            "no_data": "The stream is empty.",
            "live": "All parts answer.",
            "stale": "The topic has no new events; worker and database answer.",
            "worker_stopped": "No worker has committed anything; 12 410 events wait.",
            "database_unreachable": "PostgreSQL refuses connections.",
        }
        silent = self.state in {"booting", "no_data"}
        stopped = self.frozen_at or now
        return of.Status(
            state=self.state,
            since=wall(self.frozen_at or now - 3725),
            detail=words[self.state],
            environment="local",
            last_event_at=None if silent else wall(stopped - 0.4),
            event_time=None if silent else event(stopped),
            awaiting=["database", "champion"] if self.state == "booting" else [],
        )

    def _panel(self, name: str, make: Callable[[], object], now: float, every: int = 1) -> Panel:  # type: ignore[type-arg]
        empty = self.state in {"booting", "no_data"}
        stopped = self.frozen_at is not None and self.state != "worker_stopped"
        read = (self.frozen_at or now) if stopped else now
        if name in self.broken:
            return Panel(version=1, as_of=wall(read - 40), data=make(), error="This question took too long; it is asked again.")
        if empty and name != "retraining":
            return Panel(version=0, as_of=None, data=None)
        return Panel(version=int(read) // every, as_of=wall(read // every * every), data=make())

    def _signal(self, number: int, now: float, steps: int) -> of_quality.DriftSignal:
        name, title, unit, threshold = SIGNALS[number]
        state: of_quality.SignalState = "ok"
        if self.alarmed:
            state = ("drift", "warning", "ok", "ok", "cooling")[number]
        times = [event(now - (steps - step) * 10) for step in range(steps)]
        top = {"ok": 0.5, "warning": 0.85, "drift": 1.3, "cooling": 0.7}[state] * threshold
        values: list[float | None] = [wave(now // 10 + step, 37, 0.2 * top, top, number) for step in range(steps)]
        statistics: list[float | None] = [
            top * (step / steps) ** 2 if state != "ok" else wave(step, 29, 0.1 * top, top) for step in range(steps)
        ]
        values[steps // 3] = statistics[steps // 3] = None
        alarmed = state in {"drift", "cooling"}
        return of_quality.DriftSignal(
            signal=name,
            title=title,
            unit=unit,
            value=values[-1],
            statistic=statistics[-1],
            threshold=threshold,
            state=state,
            cooling_until=event(now) + timedelta(minutes=42) if state == "cooling" else None,
            last_alarm_at=times[steps * 3 // 4] if alarmed else None,
            last_alarm="predictions are 12 % too short since 13:20" if alarmed else None,
            times=times,
            values=values,
            statistics=statistics,
        )
