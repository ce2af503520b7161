"""The panels of one view of the made-up city."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from schemas.http import snapshot as of
from schemas.http.base import Period, Point
from schemas.http.snapshot import Card
from tests.fakes.made_up import COLUMNS, SECONDS, SPEED, cell, event, wall, wave

if TYPE_CHECKING:
    from tests.fakes.api_snapshot import City


@dataclass
class Parts:
    """The panels of one view."""

    city: "City"
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
                since=wall(self.now - 93_000),
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
            of.Mark(at=wall(walls[30]), kind="worker_started", text="Worker 1 started"),
            of.Mark(at=wall(walls[75]), kind="rebalance", text="Rebalance: 6 partitions over 2 workers"),
            of.Mark(at=wall(walls[110]), kind="drift", text="Drift: predictions are 12 % too short"),
            of.Mark(at=wall(walls[140]), kind="model_switch", text="Version 7 became champion"),
        ]
        lag: list[float | None] = [wave(at, 60, 0, 0.4) for at in walls]
        if self.city.state == "worker_stopped":
            lag[-20:] = [number * step for number in range(20)]
        return of.Traffic(
            times=[wall(at) for at in walls],
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
        newest = event(self.now)
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
            return of.Step(name=name, state=state, at=None if after is None else wall(began + after), text=text)

        running = of.Episode(
            subject="drift:2026-03-02T13:20",
            cause="Predictions are 12 % too short in the whole city",
            began_at=wall(began),
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
            began_at=wall(began - 7200),
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
            pickup_at=event(at),
            recorded_at=wall(at),
            pickup=pickup,
            dropoff=dropoff,
            pickup_area=cell(pickup),
            dropoff_area=cell(dropoff),
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
