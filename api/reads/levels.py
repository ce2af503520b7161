"""The board's colours: from which value on a number is a warning, and from which an alarm. The one place for thresholds.

latency: p99 from event to committed row, seconds. lag: age of the oldest unread event, seconds. quarantined: share of what was
received in the last hour. error: mature MAE over what the version's own training said of it.
"""

from dataclasses import dataclass

from schemas.http.snapshot import Level


@dataclass(frozen=True, slots=True)
class Threshold:
    """Values above `warning` are a warning, above `alarm` an alarm."""

    warning: float
    alarm: float

    def level(self, value: float | None) -> Level:
        """The colour of a value; of none: unknown."""
        if value is None:
            return "unknown"
        return "alarm" if value > self.alarm else "warning" if value > self.warning else "ok"


LATENCY_P99_SECONDS = Threshold(1.0, 10.0)
LAG_SECONDS = Threshold(10.0, 60.0)
QUARANTINED_SHARE = Threshold(0.01, 0.1)
ERROR_RATIO = Threshold(1.25, 1.5)


def share_level(count: float, of: float) -> Level:
    """Of quarantined events among all received; nothing received and nothing refused is well."""
    if of <= 0:
        return "ok" if count <= 0 else "unknown"
    return QUARANTINED_SHARE.level(count / of)


def error_level(mae_minutes: float | None, reference_minutes: float | None) -> Level:
    """Of a mature error beside that of the training."""
    if mae_minutes is None or not reference_minutes:
        return "unknown"
    return ERROR_RATIO.level(mae_minutes / reference_minutes)
