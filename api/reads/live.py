"""The panels of the page Live for one period and area: each read from its source, at its own pace, shared where it can be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.reads.charts import StreamCards, counted, steps_of, stream_cards, traffic
from api.reads.errors import ErrorReading, card_of, reading_of
from api.reads.levels import share_level
from api.reads.maps import area_map
from api.reads.marks import KINDS, marks_of
from api.reads.panels import Cached, Shelf
from api.reads.periods import SPANS, SPARK, EventSpan, event_span
from api.reads.ports import LiveQueries
from api.reads.retraining import retraining
from api.reads.rings import Past, Ring, slot_of
from api.reads.sampler import Sampler
from api.reads.signals import SHOWN, drift
from domain.entities.models import LifecycleEvent
from domain.entities.service import ServiceMinute
from domain.entities.watched import Reference
from domain.errors import DatabaseUnreachable
from schemas.http.base import Period
from schemas.http.quality import Drift
from schemas.http.snapshot import (
    AreaMap,
    Card,
    Cards,
    ChampionCard,
    LatestTrips,
    Mark,
    Retraining,
    Traffic,
)

TRIPS_SHOWN = 200
HOUR_SECONDS = 3600
EVER = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Champion:
    """Who scores, since when (wall time), and what the version's training said."""

    version: int | None
    kind: str | None
    run_id: str | None
    since: datetime | None
    challenger: int | None
    reference: Reference | None


@dataclass(frozen=True, slots=True)
class LivePanels:
    """Makes panels. Those of one key are the same object, however many views hold them."""

    shelf: Shelf
    sampler: Sampler
    queries: LiveQueries
    maturity: timedelta
    run_url: Callable[[str], str | None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    # --- what is read -------------------------------------------------------------------------------------------------

    def error(self, period: Period, area: int | None) -> Cached[ErrorReading]:
        """Errors by time of pickup; see `ErrorSeries` for what the panel shows of it."""
        return self.shelf.get(("error", period, area), lambda: self._error(period, area), SPANS[period].refresh)

    def map(self, period: Period) -> Cached[AreaMap]:
        """The map; always of all areas."""
        return self.shelf.get(("map", period), lambda: self._map(period), max(3.0, SPANS[period].refresh))

    def trips(self, area: int | None) -> Cached[LatestTrips]:
        """The newest trips."""
        return self.shelf.get(("trips", area), lambda: self._trips(area), 1.0)

    def drift(self) -> Cached[Drift]:
        """The control chart."""
        return self.shelf.get(("drift",), self._drift, 2.0)

    def retraining(self) -> Cached[Retraining]:
        """The timeline."""
        return self.shelf.get(("retraining",), self._retraining, 2.0)

    def champion(self) -> Cached[Champion]:
        """Who scores."""
        return self.shelf.get(("champion",), self._champion, 2.0)

    def quarantined(self) -> Cached[dict[datetime, int]]:
        """Refused events of the last two hours, by minute."""
        return self.shelf.get(("quarantined",), self._quarantined, 2.0)

    def label_delay(self) -> Cached[float | None]:
        """So long a label is awaited, seconds."""
        return self.shelf.get(("label delay",), self._label_delay, 15.0)

    def marks(self, period: Period) -> Cached[list[Mark]]:
        """Vertical lines."""
        return self.shelf.get(("marks", period), lambda: self._marks(period), 2.0)

    def everything(self) -> Cached[Ring]:
        """All that was ever seen, in a few hundred steps."""
        return self.shelf.get(("everything",), self._everything, 60.0)

    # --- what is computed from memory ---------------------------------------------------------------------------------

    def traffic(self, period: Period) -> Cached[Traffic]:
        """Throughput and lag."""

        async def load() -> Traffic:
            seconds, step, found = self._past(period)
            steps = steps_of(found.stretch, self.now().timestamp(), seconds, step)
            return traffic(steps, found.partitions, self.marks(period).data or [])

        return self.shelf.get(("traffic", period), load, 0.5)

    def cards(self, period: Period, area: int | None) -> Cached[Cards]:
        """The numbers on top."""

        async def load() -> Cards:
            return self._cards(period, area)

        return self.shelf.get(("cards", period, area), load, 0.5)

    def _cards(self, period: Period, area: int | None) -> Cards:
        stream = self._stream_cards(period)
        return Cards(
            predictions_per_second=stream.predictions_per_second,
            latency_p50_seconds=stream.latency_p50_seconds,
            latency_p99_seconds=stream.latency_p99_seconds,
            lag_events=stream.lag_events,
            lag_seconds=stream.lag_seconds,
            quarantined=self._quarantined_card(),
            mature_error=card_of(self.error(period, area).data, self.label_delay().data),
            champion=self._champion_card(),
        )

    def _stream_cards(self, period: Period) -> StreamCards:
        until, look = self.now().timestamp(), self.sampler.look
        seconds, _, found = self._past(period, times=2)
        sparks = steps_of(found.stretch, until, seconds, max(seconds / SPARK, 1.0))
        now = found.stretch.between(until - seconds, until + 1)
        before = found.stretch.between(until - 2 * seconds, until - seconds)
        return stream_cards(now, before, sparks, float(look.lag_events) if look.lags else None, look.oldest)

    def _past(self, period: Period, times: int = 1) -> tuple[float, float, Past]:
        """Length and step of a chart in seconds, and what is known of `times` as long."""
        until = self.now().timestamp()
        if period == "all" and (ring := self.everything().data) and len(ring):
            stretch = ring.all()
            step = float(stretch.at[1] - stretch.at[0]) if len(ring) > 1 else 60.0
            return until - float(stretch.at[0]), max(step, 60.0), Past(stretch, ring.partitions)
        span = SPANS[period]
        found = self.sampler.memory.past(until - times * span.seconds - span.step, until + 1)
        return span.seconds, span.step, found

    def _quarantined_card(self) -> Card:
        by_minute = self.quarantined().data
        if by_minute is None:
            return Card(value=None, previous=None, level="unknown", spark=[])
        count, before, spark = counted(by_minute, self.now())
        until = self.now().timestamp()
        received = self.sampler.memory.past(until - HOUR_SECONDS, until + 1).stretch.total("received")
        return Card(value=float(count), previous=float(before), level=share_level(count, received), spark=spark)

    def _champion_card(self) -> ChampionCard:
        known = self.champion().data
        if known is None or known.version is None:
            return ChampionCard(
                version=None, kind=None, since=None, challenger=None, run_url=None, level="warning" if known else "unknown"
            )
        return ChampionCard(
            version=known.version,
            kind=known.kind,
            since=known.since,
            challenger=known.challenger,
            run_url=self.run_url(known.run_id) if known.run_id else None,
            level="ok",
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    async def event_span(self, period: Period, reach: timedelta = timedelta()) -> EventSpan | None:
        """The event time that the stream told in a period, and `reach` before it; None when it never told any."""
        newest = self.sampler.look.event_time
        if newest is None or period == "all":
            bounds = await self.queries.rollup_bounds()
            if bounds is None:
                return None
            first, last = bounds
            return event_span(first, max(last + timedelta(minutes=1), newest or last))
        length = timedelta(seconds=SPANS[period].seconds)
        told = self.sampler.memory.event_time_at(self.now() - length)
        since = newest - length if told is None else min(told, newest - length)
        return event_span(since - reach, newest)

    async def _error(self, period: Period, area: int | None) -> ErrorReading:
        shown = await self.event_span(period, self.maturity)
        champion = self.champion().data
        reference, versions = (
            (champion.reference, (champion.version, champion.challenger)) if champion else (None, (None, None))
        )
        if shown is None:
            now = self.now()
            found = await self.queries.error_steps(now, now, step_minutes=1, area=area)
            return reading_of(found, now, reference, *versions)
        length = timedelta() if period == "all" else shown.until - shown.since - self.maturity
        before = shown.since - max(length, timedelta())
        found = await self.queries.error_steps(before, shown.until, step_minutes=shown.step_minutes, area=area)
        return reading_of(found, shown.since, reference, *versions)

    async def _map(self, period: Period) -> AreaMap:
        shown = await self.event_span(period)
        before = self.map(period).data
        if shown is None:
            return AreaMap(pickups=[], dropoffs=[], limits=before.limits if before else {})
        sums = await self.queries.area_sums(shown.since, shown.since - self.maturity, shown.until)
        return area_map(sums, shown.minutes, before.limits if before else None)

    async def _trips(self, area: int | None) -> LatestTrips:
        stored = self.sampler.look.stored
        if "database" not in self.sampler.look.ever:
            raise DatabaseUnreachable("PostgreSQL has not answered yet")
        if stored is None:
            return LatestTrips(rows=[])
        rows = await self.queries.latest_trips(stored.source_id, len(stored.next), TRIPS_SHOWN, area)
        return LatestTrips(rows=rows)

    async def _drift(self) -> Drift:
        steps = await self.queries.signal_steps(SHOWN)
        alarms = await self.queries.events_since(self.now() - EVER, ["drift.alarm"])
        confirmed = await self.queries.events_since(self.now() - EVER, ["drift.confirmed", "watch.passed"])
        phase = self.sampler.look.phase
        episode = confirmed[0].subject if confirmed and phase not in (None, "watching", "no_champion") else None
        return drift(steps, alarms, phase, episode)

    async def _retraining(self) -> Retraining:
        return retraining(await self.queries.story(self.now()), self.sampler.look.phase)

    async def _champion(self) -> Champion:
        """Whom the workers name; while none answers, whom the record names."""
        look, changes = self.sampler.look, await self.queries.role_changes()
        newest = changes[-1] if changes else None
        version: int | None = None
        kind: str | None = None
        if look.champion is not None:
            version, kind, run_id = look.champion
        elif newest is not None:
            version, run_id = _number(newest), str(newest.details.get("run_id") or "")
        else:
            return Champion(None, None, None, None, look.challenger, None)
        since = next((event.at for event in reversed(changes) if _number(event) == version), None)
        return Champion(version, kind, run_id, since, look.challenger, await self.queries.reference_of(run_id))

    async def _quarantined(self) -> dict[datetime, int]:
        return await self.queries.quarantined_by_minute(self.now() - timedelta(seconds=2 * HOUR_SECONDS + 60))

    async def _label_delay(self) -> float | None:
        stored = self.sampler.look.stored
        return None if stored is None else await self.queries.label_delay(stored.source_id)

    async def _marks(self, period: Period) -> list[Mark]:
        length = EVER if period == "all" else timedelta(seconds=SPANS[period].seconds)
        return marks_of(await self.queries.events_since(self.now() - length, list(KINDS)))

    async def _everything(self) -> Ring:
        _, minutes = await self.queries.all_minutes()
        return ring_of(list(minutes))


def ring_of(minutes: list[ServiceMinute]) -> Ring:
    """Stored minutes, or longer steps, as a ring."""
    ring = Ring(max(len(minutes), 1))
    for minute in minutes:
        ring.add(slot_of(minute))
    return ring


def _number(event: LifecycleEvent) -> int | None:
    version = event.details.get("version")
    return version if isinstance(version, int) else None
