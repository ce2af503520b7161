"""Implements `domain.ports.Detector` with River. Deterministic: the same values in the same order alarm at the same places.

Their state is never stored: whoever needs it again feeds the values again, which is exact and needs no pickle.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from domain.errors import InvalidInput
from domain.policy import DetectorSettings, Method

# What comes along with the detectors that we use, and the names that River asks of it: example data, which load pandas and
# scikit-learn, and a detector that loads SciPy's statistics. Together 4 s and 130 MB of every start, for nothing.
NOT_USED = {"river.drift.datasets": None, "river.drift.kswin": "KSWIN"}


@contextmanager
def _without(modules: Mapping[str, str | None]) -> Iterator[None]:
    """Within, importing those modules gives empty ones; afterwards each can be imported by its own name as ever."""
    absent = {name: wanted for name, wanted in modules.items() if name not in sys.modules}
    for name, wanted in absent.items():
        sys.modules[name] = ModuleType(name)
        if wanted:
            setattr(sys.modules[name], wanted, None)
    try:
        yield
    finally:
        for name, wanted in absent.items():
            del sys.modules[name]
            package, _, short = name.rpartition(".")
            for attribute in {short, wanted or short}:
                vars(sys.modules.get(package, ModuleType(package))).pop(attribute, None)


with _without(NOT_USED):
    from river import drift


class RiverDetector:
    """One detector of one signal."""

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        self._detector = _made(settings)

    def update(self, value: float) -> bool:
        """Feed a value; whether it raised an alarm. The detector begins anew after one."""
        self._detector.update(value)
        return bool(self._detector.drift_detected)

    @property
    def statistic(self) -> float | None:
        """The larger of Page-Hinkley's two sums; ADWIN compares every cut of its window by another bound."""
        if not isinstance(self._detector, drift.PageHinkley) or not self._detector._x_mean.n:
            return None
        risen = self._detector._sum_increase - self._detector._min_increase
        fallen = self._detector._max_decrease - self._detector._sum_decrease
        return float(max(risen, fallen))


def _made(settings: DetectorSettings) -> drift.ADWIN | drift.PageHinkley:
    if settings.method is Method.ADWIN:
        return drift.ADWIN(delta=settings.delta, clock=1, grace_period=settings.least_values)
    if settings.method is Method.PAGE_HINKLEY:
        return drift.PageHinkley(
            min_instances=settings.least_values, delta=settings.delta, threshold=settings.threshold, mode="both"
        )
    raise InvalidInput(f"no detector is called {settings.method}")
