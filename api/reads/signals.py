"""The drift control chart: every monitored signal with its newest steps, and one of them at large. Times are event time."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from api.reads.words import phase_text, signal_words
from domain.entities.models import LifecycleEvent
from domain.entities.watched import SignalStep
from schemas.http.quality import Drift, DriftDetail, DriftSignal, Histogram, SignalState

SHOWN = 60  # steps of a sparkline
BINS = 20
LEAST_VALUES = 10  # for a histogram to say something
STATES: dict[str, SignalState] = {"ok": "ok", "warning": "warning", "drift": "drift", "cooling": "cooling"}


def drift(steps: Sequence[SignalStep], alarms: Sequence[LifecycleEvent], phase: str | None, episode: str | None) -> Drift:
    """Signals in the order of their names; `alarms` are drift.alarm events, the newest first."""
    by_signal: dict[str, list[SignalStep]] = {}
    for step in steps:
        by_signal.setdefault(step.signal, []).append(step)
    signals = [signal_of(name, found, alarms) for name, found in by_signal.items()]
    return Drift(phase=phase, phase_text=phase_text(phase), episode=episode, signals=signals)


def signal_of(name: str, steps: Sequence[SignalStep], alarms: Sequence[LifecycleEvent]) -> DriftSignal:
    """One signal; `steps` in order, at least one."""
    newest, words = steps[-1], signal_words(name)
    alarm = next((event for event in alarms if event.details.get("signal") == name), None)
    return DriftSignal(
        signal=name,
        title=words.title,
        unit=words.unit,
        value=next((step.value for step in reversed(steps) if step.value is not None), None),
        statistic=newest.statistic,
        threshold=newest.threshold,
        state=STATES.get(newest.state, "ok"),
        cooling_until=newest.cooling_until,
        last_alarm_at=event_time_of(alarm) if alarm else None,
        last_alarm=alarm.reason if alarm else None,
        times=[step.event_at for step in steps],
        values=[step.value for step in steps],
        statistics=[step.statistic for step in steps],
    )


def event_time_of(event: LifecycleEvent) -> datetime:
    """When it happened in event time, where the event says so; else by the clock on the wall."""
    told = event.details.get("event_at")
    return datetime.fromisoformat(told) if isinstance(told, str) else event.at


def detail(name: str, steps: Sequence[SignalStep], alarms: Sequence[LifecycleEvent]) -> DriftDetail:
    """One signal over all of `steps`: reference are its values until the last quarter, recent those of the last quarter.

    Only steps of the version that scores now are compared: for another version other values are normal.
    """
    mine = [event for event in alarms if event.details.get("signal") == name]
    since = steps[0].event_at
    same = [step for step in steps if step.model_version == steps[-1].model_version and step.value is not None]
    split = len(same) - len(same) // 4
    reference, recent = same[:split], same[split:]
    enough = min(len(reference), len(recent)) >= LEAST_VALUES
    return DriftDetail(
        signal=signal_of(name, steps, alarms),
        alarms=sorted(at for at in map(event_time_of, mine) if at >= since),
        reference_since=reference[0].event_at if enough else None,
        recent_since=recent[0].event_at if enough else None,
        histogram=_histogram(reference, recent) if enough else None,
    )


def _histogram(reference: Sequence[SignalStep], recent: Sequence[SignalStep]) -> Histogram:
    before, after = (np.array([step.value for step in part], dtype=np.float64) for part in (reference, recent))
    edges = np.histogram_bin_edges(np.concatenate([before, after]), bins=BINS)
    counts = [np.histogram(part, edges)[0].tolist() for part in (before, after)]
    return Histogram(edges=edges.tolist(), reference=counts[0], recent=counts[1])
