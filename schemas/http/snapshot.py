"""One immutable picture of the running system: what the page Live is drawn from, whole, once a second."""

from typing import Generic, Literal, TypeVar

import msgspec

from schemas.http.base import Answer, Instant, Metric, Period, Point
from schemas.http.quality import Drift

State = Literal["booting", "no_data", "live", "stale", "worker_stopped", "database_unreachable"]
Level = Literal["ok", "warning", "alarm", "unknown"]
StepState = Literal["done", "current", "waiting", "refused", "skipped"]
Data = TypeVar("Data")


class Panel(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    """One panel's data, as of when they were read. `version` changes when they do.

    `error`: why they could not be read anew, in words for a person; what was read before stays in `data`.
    """

    version: int
    as_of: Instant | None
    data: Data | None
    error: str | None = None


class Status(Answer, frozen=True):
    """What the pill says. `last_event_at` is wall time, `event_time` what time the newest trip told. `awaiting`: booting."""

    state: State
    since: Instant
    detail: str
    environment: str
    last_event_at: Instant | None
    event_time: Instant | None
    awaiting: list[str]


class Card(Answer, frozen=True):
    """A number with its past. `previous`: over the period before. `spark`: at most 60 values, oldest first.

    `at_least`: the value is a lower bound; lag that was there when the API started may be older than the API knows.
    """

    value: float | None
    previous: float | None
    level: Level
    spark: list[float | None]
    at_least: bool = False


class MatureErrorCard(Answer, frozen=True):
    """The error over mature trips of the whole city or the chosen area; `label_delay_seconds`: median, of their labels."""

    mae_minutes: float | None
    rmse_minutes: float | None
    previous_mae_minutes: float | None
    trips: int
    label_delay_seconds: float | None
    level: Level
    spark: list[float | None]


class ChampionCard(Answer, frozen=True):
    """Who scores, since when (wall time), and where the registry tells of its run."""

    version: int | None
    kind: str | None
    since: Instant | None
    challenger: int | None
    run_url: str | None
    level: Level


class Cards(Answer, frozen=True):
    """The six numbers on top; latency is from event to committed row, seconds."""

    predictions_per_second: Card
    latency_p50_seconds: Card
    latency_p99_seconds: Card
    lag_events: Card
    lag_seconds: Card
    quarantined: Card
    mature_error: MatureErrorCard
    champion: ChampionCard


class Mark(Answer, frozen=True):
    """Something that happened, wall time: for a vertical line."""

    at: Instant
    kind: str
    text: str


class Traffic(Answer, frozen=True):
    """Rates a second over wall time, and lag by partition in events; all lists have the length of `times`."""

    times: list[Instant]
    step_seconds: float
    received: list[float | None]
    scored: list[float | None]
    quarantined: list[float | None]
    lag_seconds: list[float | None]
    partitions: dict[str, list[float | None]]
    marks: list[Mark]


class ErrorSeries(Answer, frozen=True):
    """Errors by time of pickup, event time; lists have the length of `times`. Before `mature_until` they can be trusted."""

    times: list[Instant]
    step_minutes: int
    trips: list[int]
    mae_minutes: list[float | None]
    challenger_mae_minutes: list[float | None]
    interval_coverage: list[float | None]
    mature_until: Instant | None
    reference_mae_minutes: float | None
    reference_rmse_minutes: float | None
    champion: int | None
    challenger: int | None


class Step(Answer, frozen=True):
    """One step of an episode: trigger, data gate, train, compare, shadow, promoted or refused, rolled back."""

    name: str
    state: StepState
    at: Instant | None
    text: str


class Episode(Answer, frozen=True):
    """From a suspicion to what came of it."""

    subject: str
    cause: str
    began_at: Instant | None
    steps: list[Step]


class Retraining(Answer, frozen=True):
    """Episodes, newest first. When there are none, `hint` says what starts one."""

    phase: str | None
    phase_text: str
    episodes: list[Episode]
    hint: str


class AreaValue(Answer, frozen=True):
    """One cell of the map; `area` is its number in GET /areas. Errors are those of pickups there."""

    area: int
    trips: int
    trips_per_minute: float
    mean_predicted_minutes: float | None
    mae_minutes: float | None
    settled: int


class AreaMap(Answer, frozen=True):
    """Cells with trips, by where trips begin and by where they lead. `limits`: the scale of each metric, fixed per period."""

    pickups: list[AreaValue]
    dropoffs: list[AreaValue]
    limits: dict[Metric, tuple[float, float]]


class TripRow(Answer, frozen=True):
    """One of the latest predictions. `latency_seconds`: from its event to its row."""

    trip_id: str
    pickup_at: Instant
    recorded_at: Instant
    pickup: Point
    dropoff: Point
    pickup_area: int
    dropoff_area: int
    predicted_seconds: float
    lower_seconds: float
    upper_seconds: float
    actual_seconds: float | None
    model_version: int
    partition: int
    offset: int
    latency_seconds: float | None


class LatestTrips(Answer, frozen=True):
    """The newest first, at most 200."""

    rows: list[TripRow]


class Snapshot(Answer, frozen=True):
    """Everything at one moment. `seq` grows with every snapshot of this process; `boot` changes when it starts anew."""

    boot: str
    seq: int
    taken_at: Instant
    period: Period
    area: int | None
    status: Status
    cards: Panel[Cards]
    traffic: Panel[Traffic]
    error: Panel[ErrorSeries]
    drift: Panel[Drift]
    retraining: Panel[Retraining]
    map: Panel[AreaMap]
    trips: Panel[LatestTrips]


class Area(Answer, frozen=True):
    """A cell of the city."""

    area: int
    name: str
    south: float
    west: float
    north: float
    east: float


class Areas(Answer, frozen=True):
    """All cells, the borders around them, and the city's time zone; they change only with the settings."""

    areas: list[Area]
    south: float
    west: float
    north: float
    east: float
    timezone: str = "America/New_York"
