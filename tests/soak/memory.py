"""What each role holds in memory while it runs, and whether that grows.

A leak of the work shows as a slope while nothing happens: least squares within each stretch between two faults. What a fault
lifts for good (a backlog comes in larger batches, and the allocator keeps what these took) is told apart, so that a leak of
each reconnection cannot hide either. A worker that leads the closed loop for the first time warms up once more: it loads the
loop's state then.
"""

import itertools
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

MIB = 1024.0**2
FLAT_MIB_PER_HOUR = 30.0
MOST_LIFTED_MIB = 10.0  # by a fault, on the mean
LEAST_JUDGED_SECONDS = 600.0  # over less, a slope says nothing; it is reported all the same


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process. `at`: seconds since the soak began. `age`: since the process did, or since it first led."""

    role: str
    process: int
    at: float
    age: float
    mib: float
    led: bool = False  # the closed loop, now or before


@dataclass(slots=True)
class Memory:
    """`warm_up_seconds`: what of a process's life does not count, for caches fill and the allocator finds its size."""

    warm_up_seconds: float
    samples: list[Sample] = field(default_factory=list)
    disturbed: list[tuple[float, float]] = field(default_factory=list)
    led_since: dict[int, float] = field(default_factory=dict)

    def look(self, role: str, process: int, at: float, led: bool) -> None:
        """Take a sample, if it is alive. `led`: whether it leads the closed loop or has led it."""
        try:
            found = psutil.Process(process)
            age, mib = time.time() - found.create_time(), found.memory_info().rss / MIB
        except psutil.Error:
            return
        if led:
            age = at - self.led_since.setdefault(process, at)
        self.samples.append(Sample(role, process, at, age, mib, led))

    def of(self, role: str) -> dict[str, object]:
        """Figures of one role; `flat` is None where the soak was too short to tell."""
        samples = [sample for sample in self.samples if sample.role == role]
        counted = [sample for sample in samples if self._counts(sample)]
        slope, lifted = slope_of(self._stretches(counted)), self._lifted(counted)
        seconds = max((each.at for each in counted), default=0) - min((each.at for each in counted), default=0)
        judged = slope is not None and seconds >= LEAST_JUDGED_SECONDS
        return {
            "first_mib": round(samples[0].mib, 1) if samples else None,
            "last_mib": round(samples[-1].mib, 1) if samples else None,
            "peak_mib": round(max(sample.mib for sample in samples), 1) if samples else None,
            "slope_mib_per_hour": None if slope is None else round(slope, 1),
            "lifted_mib_per_fault": None if lifted is None else round(lifted, 1),
            "samples": len(counted),
            "flat": slope <= FLAT_MIB_PER_HOUR and (lifted or 0) <= MOST_LIFTED_MIB if judged and slope is not None else None,
        }

    def _stretches(self, samples: Sequence[Sample]) -> list[list[Sample]]:
        """Those of one process, before it first led or since, between two faults; in order of process and time."""
        found: dict[tuple[int, bool, int], list[Sample]] = defaultdict(list)
        for sample in samples:
            found[sample.process, sample.led, sum(first <= sample.at for first, _ in self.disturbed)].append(sample)
        return [found[stretch] for stretch in sorted(found)]

    def _lifted(self, samples: Sequence[Sample]) -> float | None:
        """MiB, from the end of a stretch of a process to the beginning of its next one; None where none has two."""
        pairs = itertools.pairwise(self._stretches(samples))
        steps = [after[0].mib - before[-1].mib for before, after in pairs if _warmed_up_alike(before[0], after[0])]
        return sum(steps) / len(steps) if steps else None

    def _counts(self, sample: Sample) -> bool:
        return sample.age >= self.warm_up_seconds and not any(first <= sample.at <= last for first, last in self.disturbed)


def _warmed_up_alike(before: Sample, after: Sample) -> bool:
    return (before.process, before.led) == (after.process, after.led)


def slope_of(stretches: Iterable[Sequence[Sample]]) -> float | None:
    """MiB an hour, each stretch around its own mean; None where none has two samples."""
    products = squares = 0.0
    for stretch in stretches:
        at = np.array([sample.at for sample in stretch])
        mib = np.array([sample.mib for sample in stretch])
        products += float(((at - at.mean()) * (mib - mib.mean())).sum())
        squares += float(((at - at.mean()) ** 2).sum())
    return products / squares * 3600 if squares else None
