"""A made-up city for the stand-in API: what the page Live and the page Drift are drawn from, moving with the clock."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.http import quality as of_quality
from schemas.http import snapshot as of
from schemas.http import trips as of_trips
from schemas.http.base import Period, Point
from schemas.http.snapshot import Card, Panel

SOUTH, NORTH, WEST, EAST, STEP, COLUMNS = 40.5, 41.0, -74.3, -73.7, 0.05, 12
SECONDS: dict[Period, int] = {"5m": 300, "15m": 900, "1h": 3600, "24h": 86_400, "all": 604_800}
SPEED = 60  # of event time against wall time
EPOCH = datetime(2026, 3, 2, 7, tzinfo=UTC)
SIGNALS = (
    ("log_ratio", "Error: log of predicted over actual", "log ratio", 0.05),
    ("prediction", "Mean predicted duration", "min", 3.0),
    ("distance", "Trip distance", "km", 2.0),
    ("missing", "Share of missing fields", "share", 0.01),
    ("completion", "Completed within the hour", "share", 0.04),
)


def wave(at: float, period: float, low: float, high: float, salt: int = 0) -> float:
    """Between low and high, smooth, with a little repeatable noise."""
    noise = math.sin(at * 12.9898 + salt * 78.233) * 43758.5453
    mixed = 0.85 * (0.5 + 0.5 * math.sin(2 * math.pi * at / period + salt)) + 0.15 * (noise - math.floor(noise))
    return low + (high - low) * mixed


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
        parts = _Parts(self, self.frozen_at or now, told, area)
        return of.Snapshot(
            boot=boot,
            seq=int(now),
            taken_at=_wall(now),
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
            reference_since=_event(now) - timedelta(hours=30),
            recent_since=_event(now) - timedelta(hours=2),
            histogram=of_quality.Histogram(edges=edges, reference=bell, recent=moved),
        )

    def trip(self, trip_id: str) -> of_trips.Trip:
        """What GET /trips/{trip_id} answers."""
        rows = _Parts(self, self.frozen_at or self.clock(), "15m", None).trips().rows
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
            since=_wall(self.frozen_at or now - 3725),
            detail=words[self.state],
            environment="local",
            last_event_at=None if silent else _wall(stopped - 0.4),
            event_time=None if silent else _event(stopped),
            awaiting=["database", "champion"] if self.state == "booting" else [],
        )

    def _panel(self, name: str, make: Callable[[], object], now: float, every: int = 1) -> Panel:  # type: ignore[type-arg]
        empty = self.state in {"booting", "no_data"}
        stopped = self.frozen_at is not None and self.state != "worker_stopped"
        read = (self.frozen_at or now) if stopped else now
        if name in self.broken:
            return Panel(
                version=1, as_of=_wall(read - 40), data=make(), error="This question took too long; it is asked again."
            )
        if empty and name != "retraining":
            return Panel(version=0, as_of=None, data=None)
        return Panel(version=int(read) // every, as_of=_wall(read // every * every), data=make())

    def _signal(self, number: int, now: float, steps: int) -> of_quality.DriftSignal:
        name, title, unit, threshold = SIGNALS[number]
        state: of_quality.SignalState = "ok"
        if self.alarmed:
            state = ("drift", "warning", "ok", "ok", "cooling")[number]
        times = [_event(now - (steps - step) * 10) for step in range(steps)]
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
            cooling_until=_event(now) + timedelta(minutes=42) if state == "cooling" else None,
            last_alarm_at=times[steps * 3 // 4] if alarmed else None,
            last_alarm="predictions are 12 % too short since 13:20" if alarmed else None,
            times=times,
            values=values,
            statistics=statistics,
        )


@dataclass
class _Parts:
    """The panels of one view."""

    city: City
    now: float
    period: Period
    area: int | None

    @property
    def share(self) -> float:
        return 1.0 if self.area is None else 0.06

    def cards(self) -> of.Cards:
        """The six numbers."""
        spark = [self.share * wave(self.now + step, 40, 42, 58) for step in range(-60, 0)]
        stopped = self.city.state == "worker_stopped"
        lag = self._lag()
        alarm: of.Level = "alarm" if stopped else "ok"
        return of.Cards(
            predictions_per_second=Card(
                value=0.0 if stopped else spark[-1], previous=47.1 * self.share, level=alarm, spark=list(spark)
            ),
            latency_p50_seconds=Card(
                value=0.0213, previous=0.0208, level="ok", spark=[wave(step, 20, 0.018, 0.025) for step in range(60)]
            ),
            latency_p99_seconds=Card(
                value=0.0871, previous=0.0702, level="ok", spark=[wave(step, 20, 0.06, 0.09) for step in range(60)]
            ),
            lag_events=Card(value=lag, previous=4, level=alarm, spark=[wave(step, 20, 0, 9) for step in range(60)]),
            lag_seconds=Card(value=lag / 50, previous=0.1, level=alarm, spark=[wave(step, 20, 0, 0.3) for step in range(60)]),
            quarantined=Card(value=3, previous=1, level="warning", spark=[float(step % 17 == 0) for step in range(60)]),
            mature_error=of.MatureErrorCard(
                mae_minutes=3.42,
                rmse_minutes=5.31,
                previous_mae_minutes=3.18,
                trips=round(41_230 * self.share),
                label_delay_seconds=812,
                level="warning" if self.city.alarmed else "ok",
                spark=[wave(step, 25, 3.0, 3.6) for step in range(60)],
            ),
            champion=of.ChampionCard(
                version=7,
                kind="xgboost",
                since=_wall(self.now - 93_000),
                challenger=8 if self.city.alarmed else None,
                run_url="http://127.0.0.1:5000/#/experiments/1/runs/0f3c",
                level="ok",
            ),
        )

    def traffic(self) -> of.Traffic:
        """Rates and lag."""
        step = SECONDS[self.period] / 180
        first = math.floor(self.now / step) * step - 179 * step
        walls = [first + number * step for number in range(180)]
        received: list[float | None] = [self.share * wave(at, SECONDS[self.period] / 3, 40, 60) for at in walls]
        scored: list[float | None] = [value and value * 0.998 for value in received]
        if self.city.state == "worker_stopped":
            scored[-20:] = [0.0] * 20
        received[40] = scored[40] = None
        marks = [
            of.Mark(at=_wall(walls[30]), kind="worker_started", text="Worker 1 started"),
            of.Mark(at=_wall(walls[75]), kind="rebalance", text="Rebalance: 6 partitions over 2 workers"),
            of.Mark(at=_wall(walls[110]), kind="drift", text="Drift: predictions are 12 % too short"),
            of.Mark(at=_wall(walls[140]), kind="model_switch", text="Version 7 became champion"),
        ]
        lag: list[float | None] = [wave(at, 60, 0, 0.4) for at in walls]
        if self.city.state == "worker_stopped":
            lag[-20:] = [number * step for number in range(20)]
        return of.Traffic(
            times=[_wall(at) for at in walls],
            step_seconds=step,
            received=received,
            scored=scored,
            quarantined=[0.2 if number % 37 == 0 else 0.0 for number in range(180)],
            lag_seconds=lag,
            partitions={str(part): [(value or 0) * 50 / 6 + part % 3 for value in lag] for part in range(6)},
            marks=marks,
        )

    def error(self) -> of.ErrorSeries:
        """The error by event time; the last part is immature."""
        count, minutes = 96, max(1, SECONDS[self.period] * SPEED // 60 // 90)
        newest = _event(self.now)
        times = [newest - timedelta(minutes=minutes * (count - number)) for number in range(count)]
        drifted = [0.8 * max(0, number - 60) / 36 if self.city.alarmed else 0 for number in range(count)]
        mae: list[float | None] = [wave(number, 24, 2.9, 3.5) + more for number, more in enumerate(drifted)]
        mae[20] = None
        settled = [1.0 if number < 84 else (96 - number) / 14 for number in range(count)]
        return of.ErrorSeries(
            times=times,
            step_minutes=minutes,
            trips=[round(420 * part * self.share) for part in settled],
            mae_minutes=[value and value * (0.5 + 0.5 * part) for value, part in zip(mae, settled, strict=True)],
            challenger_mae_minutes=[
                wave(number, 24, 2.8, 3.3) if number > 76 and self.city.alarmed else None for number in range(count)
            ],
            interval_coverage=[wave(number, 30, 0.88, 0.92) - 0.06 * more for number, more in enumerate(drifted)],
            mature_until=times[84],
            reference_mae_minutes=3.1,
            reference_rmse_minutes=4.7,
            champion=7,
            challenger=8 if self.city.alarmed else None,
        )

    def retraining(self) -> of.Retraining:
        """Two episodes: one runs, one was refused."""
        hint = "An alarm of the drift detectors starts one; `tripcast approve` lets a waiting one train."
        if not self.city.alarmed or self.city.state in {"booting", "no_data"}:
            return of.Retraining(phase="watching", phase_text="Watching; nothing is wrong.", episodes=[], hint=hint)
        began = self.now - 600

        def step(name: str, state: of.StepState, after: float | None, text: str) -> of.Step:
            return of.Step(name=name, state=state, at=None if after is None else _wall(began + after), text=text)

        running = of.Episode(
            subject="drift:2026-03-02T13:20",
            cause="Predictions are 12 % too short in the whole city",
            began_at=_wall(began),
            steps=[
                step("Trigger", "done", 0, "log ratio 0.061 above 0.05"),
                step("Data gate", "done", 20, "18 240 settled trips since the change"),
                step("Train", "done", 150, "4 candidates in 96 s; xgboost is best"),
                step("Compare", "done", 162, "MAE 3.02 against 3.44 min on the same trips"),
                step("Shadow", "current", 170, "1 240 of 2 000 paired trips"),
                step("Promote", "waiting", None, ""),
            ],
        )
        refused = of.Episode(
            subject="drift:2026-03-01T18:05",
            cause="Predicted durations moved by 9 %",
            began_at=_wall(began - 7200),
            steps=[
                step("Trigger", "done", -7200, "prediction 3.4 above 3.0"),
                step("Data gate", "refused", -7180, "only 310 settled trips; 2 000 are needed"),
                step("Train", "skipped", None, ""),
            ],
        )
        return of.Retraining(
            phase="shadowing", phase_text="Version 8 shadows the champion.", episodes=[running, refused], hint=hint
        )

    def map(self) -> of.AreaMap:
        """Busy in the middle."""
        return of.AreaMap(
            pickups=self._values(0),
            dropoffs=self._values(3),
            limits={"trips": (0.0, 16.0), "predicted": (5.0, 40.0), "error": (1.0, 9.0)},
        )

    def _values(self, shift: int) -> list[of.AreaValue]:
        found = []
        for number in range(120):
            row, column = divmod(number, COLUMNS)
            far = math.hypot(row - 5, column - 6.5 + shift / 3)
            trips_there = round(
                SECONDS[self.period] / 60 * 14 * math.exp(-far * far / 4) * wave(self.now // 2 + number, 50, 0.7, 1.0, number)
            )
            if trips_there:
                few = trips_there < 5
                found.append(
                    of.AreaValue(
                        area=number,
                        trips=trips_there,
                        trips_per_minute=trips_there / SECONDS[self.period] * 60,
                        mean_predicted_minutes=8 + 5 * far,
                        mae_minutes=None if few else 2 + far,
                        settled=round(trips_there * 0.6),
                    )
                )
        return found

    def trips(self) -> of.LatestTrips:
        """Three new trips a second; each is settled 40 s later."""
        newest = int(self.now * 3)
        return of.LatestTrips(rows=[self._row(newest - back) for back in range(200)])

    def _row(self, number: int) -> of.TripRow:
        at, predicted = number / 3, 300 + (number * 7919) % 1500
        pickup = Point(latitude=40.7 + (number * 37 % 100) / 1000, longitude=-74.0 + (number * 53 % 90) / 1000)
        dropoff = Point(latitude=40.7 + (number * 71 % 100) / 1000, longitude=-74.0 + (number * 29 % 90) / 1000)
        late = self.now - at > 40
        return of.TripRow(
            trip_id=f"city-7-{number:012d}",
            pickup_at=_event(at),
            recorded_at=_wall(at),
            pickup=pickup,
            dropoff=dropoff,
            pickup_area=_cell(pickup),
            dropoff_area=_cell(dropoff),
            predicted_seconds=float(predicted),
            lower_seconds=predicted * 0.72,
            upper_seconds=predicted * 1.35,
            actual_seconds=predicted * (0.8 + number % 50 / 100) if late else None,
            model_version=7,
            partition=number % 6,
            offset=(number - 5_000_000_000) // 6,
            latency_seconds=0.015 + number % 40 / 1000,
        )

    def _lag(self) -> float:
        stopped = self.city.state == "worker_stopped" and self.city.frozen_at is not None
        return (self.city.clock() - (self.city.frozen_at or 0)) * 50 if stopped else float(int(self.now) % 9)


def _cell(point: Point) -> int:
    return int((point.latitude - SOUTH) / STEP) * COLUMNS + int((point.longitude - WEST) / STEP)


def _wall(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _event(at: float) -> datetime:
    return EPOCH + timedelta(seconds=(at - 1_790_000_000) % 20_000 * SPEED)
