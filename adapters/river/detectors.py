"""Implements `domain.ports.Detector` with River. Deterministic: the same values in the same order alarm at the same places.

Their state is never stored: whoever needs it again feeds the values again, which is exact and needs no pickle.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from domain.errors import InvalidInput
from domain.policy import DetectorSettings, Method

EXAMPLES = "river.drift.datasets"


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Within, importing that module gives an empty one; afterwards it can be imported as ever.

    River's detectors bring example data, and those pandas, scikit-learn, SciPy and SQLAlchemy: 2.4 s and 100 MB of every start.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        del sys.modules[name]


with _without(EXAMPLES):
    from river import drift
vars(drift).pop("datasets", None)  # the empty one


class RiverDetector:
    """One detector of one signal."""

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        self._detector = _made(settings)

    def update(self, value: float) -> bool:
        """Feed a value; whether it raised an alarm. The detector begins anew after one."""
        self._detector.update(value)
        return bool(self._detector.drift_detected)


def _made(settings: DetectorSettings) -> drift.ADWIN | drift.PageHinkley:
    if settings.method is Method.ADWIN:
        return drift.ADWIN(delta=settings.delta, clock=1, grace_period=settings.least_values)
    if settings.method is Method.PAGE_HINKLEY:
        return drift.PageHinkley(
            min_instances=settings.least_values, delta=settings.delta, threshold=settings.threshold, mode="both"
        )
    raise InvalidInput(f"no detector is called {settings.method}")
