"""Implements `domain.ports.Detector` with River. Deterministic: the same values in the same order alarm at the same places.

Their state is never stored: whoever needs it again feeds the values again, which is exact and needs no pickle.
"""

from river import drift

from domain.errors import InvalidInput
from domain.policy import DetectorSettings, Method


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
