"""Numbers and charts of the page Live, computed from the sampler's memory. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from api.reads.lags import Lag
from api.reads.levels import LAG_SECONDS, LATENCY_P99_SECONDS
from api.reads.periods import SPARK
from api.reads.rings import Floats, Stretch, quantile_of
from schemas.http.snapshot import Card, Mark, Traffic

Values = list[float | None]
DIGITS = 6  # of what is told: more would only make every answer new


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A stretch in `count` equal steps from `since` (seconds since 1970) on."""

    stretch: Stretch
    since: float
    step: float
    count: int

    @property
    def times(self) -> list[datetime]:
        """When each step begins."""
        return [datetime.fromtimestamp(self.since + number * self.step, UTC) for number in range(self.count)]

    def rates(self, name: str) -> Values:
        """Events a second in each step; None where nobody looked."""
        seconds = self._sums(self.stretch.numbers["received_known" if name == "received" else "known"])
        events = self._sums(self.stretch.numbers[name])
        return [_told(e / s) if s > 0 else None for e, s in zip(events.tolist(), seconds.tolist(), strict=True)]

    def last(self, column: Floats) -> Values:
        """The newest known value of each step."""
        known = ~np.isnan(column)
        values: Values = [None] * self.count
        for number, value in zip(self._numbers()[known].tolist(), column[known].tolist(), strict=True):
            if 0 <= number < self.count:
                values[number] = _told(value)
        return values

    def quantiles(self, share: float) -> Values:
        """Seconds from event to row in each step."""
        counts = np.zeros((self.count, self.stretch.latency.shape[1]), dtype=np.int64)
        numbers = self._numbers()
        inside = (numbers >= 0) & (numbers < self.count)
        np.add.at(counts, numbers[inside], self.stretch.latency[inside])
        return [_told(quantile_of(row, share)) for row in counts]

    def _numbers(self) -> NDArray[np.int64]:
        return np.floor((self.stretch.at - self.since) / self.step).astype(np.int64)

    def _sums(self, column: Floats) -> Floats:
        numbers = self._numbers()
        inside = (numbers >= 0) & (numbers < self.count)
        return np.bincount(numbers[inside], weights=column[inside], minlength=self.count).astype(np.float64)


def steps_of(stretch: Stretch, until: float, seconds: float, step: float) -> Steps:
    """The last `seconds` before `until`, in steps that all charts of this step length share."""
    count = max(1, int(np.ceil(seconds / step)))
    end = np.ceil(until / step) * step
    return Steps(stretch, end - count * step, step, count)


def traffic(steps: Steps, partitions: Sequence[int], marks: Sequence[Mark]) -> Traffic:
    """The chart of throughput and lag."""
    lag = steps.stretch.lag_events
    return Traffic(
        times=steps.times,
        step_seconds=steps.step,
        received=steps.rates("received"),
        scored=steps.rates("scored"),
        quarantined=steps.rates("quarantined"),
        lag_seconds=steps.last(steps.stretch.numbers["lag_seconds"]),
        partitions={str(number): steps.last(lag[:, place]) for place, number in enumerate(partitions)},
        marks=list(marks),
    )


@dataclass(frozen=True, slots=True)
class StreamCards:
    """The cards that come from the sampler alone."""

    predictions_per_second: Card
    latency_p50_seconds: Card
    latency_p99_seconds: Card
    lag_events: Card
    lag_seconds: Card


def stream_cards(now: Stretch, before: Stretch, sparks: Steps, lag_events: float | None, oldest: Lag | None) -> StreamCards:
    """`now`: the period, `before`: the one before it; lag is of this moment, its `previous` the mean of the period before."""
    lag_seconds = oldest.seconds if oldest else None
    p99 = now.quantile_seconds(0.99)
    lags = before.lag()
    known = lags[~np.isnan(lags)]
    spark = sparks.last(sparks.stretch.lag())
    return StreamCards(
        predictions_per_second=Card(
            value=_told(now.rate("scored")),
            previous=_told(before.rate("scored")),
            level="unknown" if now.rate("scored") is None else "ok",
            spark=sparks.rates("scored"),
        ),
        latency_p50_seconds=Card(
            value=_told(now.quantile_seconds(0.5)),
            previous=_told(before.quantile_seconds(0.5)),
            level=LATENCY_P99_SECONDS.level(p99),
            spark=sparks.quantiles(0.5),
        ),
        latency_p99_seconds=Card(
            value=_told(p99),
            previous=_told(before.quantile_seconds(0.99)),
            level=LATENCY_P99_SECONDS.level(p99),
            spark=sparks.quantiles(0.99),
        ),
        lag_events=Card(
            value=lag_events,
            previous=_told(float(known.mean())) if len(known) else None,
            level=LAG_SECONDS.level(lag_seconds),
            spark=spark,
        ),
        lag_seconds=Card(
            value=_told(lag_seconds),
            previous=_told(before.mean("lag_seconds")),
            level=LAG_SECONDS.level(lag_seconds),
            spark=sparks.last(sparks.stretch.numbers["lag_seconds"]),
            at_least=oldest is not None and oldest.at_least,
        ),
    )


def counted(by_minute: dict[datetime, int], now: datetime) -> tuple[int, int, Values]:
    """Events of the last sixty whole or begun minutes, of the sixty before, and the first by minute, oldest first."""
    this = int(now.timestamp()) // 60
    counts = {int(minute.timestamp()) // 60: count for minute, count in by_minute.items()}
    spark = [counts.get(this - SPARK + 1 + place, 0) for place in range(SPARK)]
    before = sum(counts.get(this - 2 * SPARK + 1 + place, 0) for place in range(SPARK))
    return sum(spark), before, [float(count) for count in spark]


def _told(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
