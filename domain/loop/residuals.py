"""Residuals by segment, less what is normal for the champion, in blocks large enough for a detector."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from domain.baselines import Baseline, band_of
from domain.features import CityClock
from domain.loop.steps import Step
from domain.sums import CHAMPION, MICRO

CITY = -2  # the segment that is everything; areas are their cell numbers
LEARN_LABELS = 1000  # to know what is normal for a version that came without a baseline
MINUTE64 = "datetime64[m]"


class Sample(NamedTuple):
    """`size` residuals: their sum and the sum of their squares."""

    size: int = 0
    total: float = 0.0
    square: float = 0.0

    def plus(self, other: "Sample") -> "Sample":
        """Both together."""
        return Sample(self.size + other.size, self.total + other.total, self.square + other.square)

    @property
    def mean(self) -> float:
        """Of the residuals; 0 of none."""
        return self.total / self.size if self.size else 0.0

    @property
    def standard_error(self) -> float:
        """Of the mean, if residuals were independent."""
        if self.size < 2:  # noqa: PLR2004 - a variance needs two
            return float("inf")
        variance = max(self.square / self.size - self.mean**2, 1e-6)
        return float((variance / self.size) ** 0.5)


@dataclass(slots=True)
class Residuals:
    """What a champion's mature labels say, step by step.

    Before anything is known of a version without baseline, its first labels become the baseline; they count for nothing else.
    """

    version: int
    baseline: Baseline | None
    clock: CityClock
    _learnt: Sample = field(default_factory=Sample)

    @property
    def ready(self) -> bool:
        """Whether it is known what is normal."""
        return self.baseline is not None or self._learnt.size >= LEARN_LABELS

    def of(self, step: Step) -> dict[int, Sample]:
        """By segment: the city and every area with labels in this cohort."""
        rows = step.mature.take((step.mature.role == CHAMPION) & (step.mature.version == self.version))
        rows = rows.take(rows.settled > 0)
        if not len(rows):
            return {}
        samples: dict[int, Sample] = {}
        normal = self._normal_of_band(step.cohort)
        for area in np.unique(rows.area).tolist():
            of_area = rows.take(rows.area == area)
            sums = (int(of_area.settled.sum()), int(of_area.log_ratio.sum()), int(of_area.square_log_ratio.sum()))
            samples[area] = _less(*sums, normal + self._normal_of_area(area))
        city = Sample()
        for sample in samples.values():
            city = city.plus(sample)
        if not self.ready:
            self._learnt = self._learnt.plus(city)
            return {}
        return {CITY: city, **samples}

    def _normal_of_band(self, cohort: int) -> float:
        if self.baseline is None:
            return self._learnt.mean if self.ready else 0.0
        local = self.clock.local(np.array([cohort], dtype=MINUTE64).astype("datetime64[us]"))
        return self.baseline.band_log_ratio[int(band_of(local)[0])]

    def _normal_of_area(self, area: int) -> float:
        return self.baseline.area_log_ratio.get(area, 0.0) if self.baseline else 0.0


def _less(count: int, total: int, square: int, normal: float) -> Sample:
    """Sums of residuals in 1e-6, with `normal` taken off each."""
    plain, squares = total / MICRO, square / MICRO
    return Sample(count, plain - count * normal, squares - 2 * normal * plain + count * normal**2)


@dataclass(slots=True)
class Block:
    """Collects samples until they are large enough to be one value of a detector."""

    least: int
    _sample: Sample = field(default_factory=Sample)

    def add(self, sample: Sample) -> float | None:
        """The mean of the block that this sample completes."""
        self._sample = self._sample.plus(sample)
        if self._sample.size < self.least:
            return None
        mean, self._sample = self._sample.mean, Sample()
        return mean
