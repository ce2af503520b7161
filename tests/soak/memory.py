"""What each role holds in memory while it runs, and whether that grows: least squares within the life of each process."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

MIB = 1024.0**2
FLAT_MIB_PER_HOUR = 30.0
LEAST_JUDGED_SECONDS = 600.0  # over less, a slope says nothing; it is reported all the same


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process. `at` and `age`: seconds since the soak and since the process began."""

    role: str
    process: int
    at: float
    age: float
    mib: float


@dataclass(slots=True)
class Memory:
    """`warm_up_seconds`: what of a process's life does not count, for caches fill and the allocator finds its size."""

    warm_up_seconds: float
    samples: list[Sample] = field(default_factory=list)
    disturbed: list[tuple[float, float]] = field(default_factory=list)

    def look(self, role: str, process: int, at: float) -> None:
        """Take a sample, if it is alive."""
        try:
            found = psutil.Process(process)
            age = time.time() - found.create_time()
            self.samples.append(Sample(role, process, at, age, found.memory_info().rss / MIB))
        except psutil.Error:
            return

    def of(self, role: str) -> dict[str, object]:
        """Figures of one role; `flat` is None where the soak was too short to tell."""
        samples = [sample for sample in self.samples if sample.role == role]
        counted = [sample for sample in samples if self._counts(sample)]
        slope, seconds = (
            slope_of(counted),
            max((each.at for each in counted), default=0) - min((each.at for each in counted), default=0),
        )
        judged = slope is not None and seconds >= LEAST_JUDGED_SECONDS
        return {
            "first_mib": round(samples[0].mib, 1) if samples else None,
            "last_mib": round(samples[-1].mib, 1) if samples else None,
            "peak_mib": round(max(sample.mib for sample in samples), 1) if samples else None,
            "slope_mib_per_hour": None if slope is None else round(slope, 1),
            "samples": len(counted),
            "flat": slope <= FLAT_MIB_PER_HOUR if judged and slope is not None else None,
        }

    def _counts(self, sample: Sample) -> bool:
        return sample.age >= self.warm_up_seconds and not any(first <= sample.at <= last for first, last in self.disturbed)


def slope_of(samples: Sequence[Sample]) -> float | None:
    """MiB an hour, each process around its own mean; None where no process was seen twice."""
    lives: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        lives[sample.process].append(sample)
    products = squares = 0.0
    for life in lives.values():
        at = np.array([sample.at for sample in life])
        mib = np.array([sample.mib for sample in life])
        products += float(((at - at.mean()) * (mib - mib.mean())).sum())
        squares += float(((at - at.mean()) ** 2).sum())
    return products / squares * 3600 if squares else None
