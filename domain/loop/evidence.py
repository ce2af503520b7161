"""The evidence that follows an alarm, by segment; and when it was that things changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from domain.loop.residuals import CITY, Sample
from domain.policy import Confirmation, Suspicion

HOUR = 60
THIRDS = 3
HELD_SHARE = 0.5  # of the shift, in each third of the time


@dataclass(frozen=True, slots=True)
class Finding:
    """A shift that a tier confirms: its size, how many labels over how many hours show it, and its standard error.

    `since`: the first minute of the first cohort that counts.
    """

    segment: int
    shift: float
    labels: int
    hours: float
    standard_error: float
    tier: Confirmation
    since: int

    @property
    def z(self) -> float:
        """The shift in standard errors."""
        return abs(self.shift) / self.standard_error


@dataclass(slots=True)
class Trail:
    """One segment's samples by hour of the cohort, in order; `until` is the end of the newest cohort."""

    starts: list[int] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    until: int = 0

    def add(self, cohort: int, sample: Sample, step_minutes: int) -> None:
        """Take in a cohort."""
        self.until = cohort + step_minutes
        start = cohort // HOUR * HOUR
        if self.starts and self.starts[-1] == start:
            self.samples[-1] = self.samples[-1].plus(sample)
        else:
            self.starts.append(start)
            self.samples.append(sample)

    def judge(self, segment: int, tier: Confirmation, limits: Suspicion) -> Finding | None:
        """Whether the latest samples that fill the tier's hours and labels hold a shift of its size, all the time."""
        taken = self._filling(tier)
        if taken is None:
            return None
        window, lasted = self.samples[-taken:], (self.until - self.starts[-taken]) / HOUR
        whole = _together(window)
        error = _with_days(whole.standard_error, lasted, segment, limits)
        found = Finding(segment, whole.mean, whole.size, lasted, error, tier, self.starts[-taken])
        return found if abs(found.shift) >= tier.shift and found.z >= limits.z and _holds(window, found.shift) else None

    def shift(self, tier: Confirmation) -> float | None:
        """The mean of the latest samples that fill the tier's hours and labels; None while there are too few."""
        taken = self._filling(tier)
        return None if taken is None else _together(self.samples[-taken:]).mean

    def _filling(self, tier: Confirmation) -> int | None:
        """How many of the latest samples fill the tier's hours and labels."""
        labels = 0
        for taken, (start, sample) in enumerate(zip(reversed(self.starts), reversed(self.samples), strict=True), start=1):
            labels += sample.size
            if labels >= tier.labels and (self.until - start) / HOUR >= tier.hours:
                return taken
        return None

    @property
    def labels(self) -> int:
        """How many."""
        return sum(sample.size for sample in self.samples)

    def since(self, minute: int) -> Sample:
        """Everything from that minute on, together."""
        return _together([sample for start, sample in zip(self.starts, self.samples, strict=True) if start >= minute])


def _together(samples: Sequence[Sample]) -> Sample:
    total = Sample()
    for sample in samples:
        total = total.plus(sample)
    return total


def _holds(window: Sequence[Sample], shift: float) -> bool:
    """Whether every third of the window shows most of the shift: one bad hour makes no bad day."""
    places = np.array_split(np.arange(len(window)), THIRDS)
    thirds = (_together([window[place] for place in part]) for part in places)
    return all(part.size == 0 or part.mean / shift >= HELD_SHARE for part in thirds)


def _with_days(standard_error: float, hours: float, segment: int, limits: Suspicion) -> float:
    """The standard error of a mean over so many hours, of which those of one day resemble each other."""
    day = limits.day_spread * (1.0 if segment == CITY else limits.area_factor)
    return float(np.hypot(standard_error, day / np.sqrt(max(hours / 24, 1.0))))


@dataclass(slots=True)
class Evidence:
    """Samples of all segments from cohort `since` on."""

    since: int
    step_minutes: int
    trails: dict[int, Trail] = field(default_factory=dict)

    def add(self, cohort: int, samples: dict[int, Sample]) -> None:
        """Take in a cohort, unless it is older than the evidence."""
        if cohort < self.since:
            return
        for segment, sample in samples.items():
            self.trails.setdefault(segment, Trail()).add(cohort, sample, self.step_minutes)

    def judge(self, tiers: Sequence[Confirmation], limits: Suspicion, watched: set[int]) -> list[Finding]:
        """What is confirmed, by segment, the city first; each by the first tier that holds."""
        found = []
        for segment in sorted(self.trails.keys() & watched):
            findings = (self.trails[segment].judge(segment, tier, limits) for tier in tiers)
            first = next((finding for finding in findings if finding), None)
            if first:
                found.append(first)
        return found

    @property
    def labels(self) -> int:
        """Of the city."""
        return self.trails[CITY].labels if CITY in self.trails else 0


@dataclass(slots=True)
class Hours:
    """One segment's samples by hour, for as long as a change may lie back."""

    most_hours: int
    _starts: list[int] = field(default_factory=list)
    _samples: list[Sample] = field(default_factory=list)

    def add(self, cohort: int, sample: Sample) -> None:
        """Take in a cohort."""
        start = cohort // HOUR * HOUR
        if self._starts and self._starts[-1] == start:
            self._samples[-1] = self._samples[-1].plus(sample)
            return
        self._starts.append(start)
        self._samples.append(sample)
        if len(self._starts) > self.most_hours:
            del self._starts[0], self._samples[0]

    def change(self) -> int | None:
        """The hour (its first minute) that divides the samples into the two most different parts; None of fewer than two."""
        if len(self._starts) < 2:  # noqa: PLR2004 - two parts
            return None
        counts = np.array([sample.size for sample in self._samples], dtype=np.float64)
        totals = np.array([sample.total for sample in self._samples])
        n, s = np.cumsum(counts), np.cumsum(totals)
        before, after = n[:-1], n[-1] - n[:-1]
        difference = s[:-1] / np.maximum(before, 1) - (s[-1] - s[:-1]) / np.maximum(after, 1)
        # The statistic of a change of mean at a known spread: largest where the change most likely was (Hinkley 1970).
        return self._starts[int(np.argmax(np.abs(difference) * np.sqrt(before * after))) + 1]

    def labels_since(self, minute: int) -> int:
        """How many labels began at that minute or later."""
        return sum(sample.size for start, sample in zip(self._starts, self._samples, strict=True) if start >= minute)

    def latest(self, hours: float, labels: int = 0) -> Sample:
        """The latest samples, so many labels over so many hours; fewer, where there are no more."""
        total = Sample()
        for start, sample in zip(reversed(self._starts), reversed(self._samples), strict=True):
            if total.size >= labels and self._starts[-1] - start >= hours * HOUR:
                break
            total = total.plus(sample)
        return total
