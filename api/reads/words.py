"""Names and sentences of the board for what the loop calls by short names."""

from dataclasses import dataclass

PHASES = {
    "no_champion": "No model yet: the trainer makes the first one.",
    "watching": "Watching: no drift is confirmed.",
    "held": "Drift is confirmed; its training is held back.",
    "training": "Drift is confirmed; a model is being trained.",
    "shadowing": "A challenger predicts the same trips, unseen.",
    "promoting": "The challenger is being promoted.",
    "probation": "A new champion is watched against the one before.",
}
UNKNOWN_PHASE = "Unknown: no worker that hosts the loop answers."
HINT = (
    "No training yet. A confirmed drift starts one by itself; `tripcast train --reason ...` starts one by hand; "
    "`tripcast simulate --apply --slowdown 1.5` makes the simulated city change."
)
NO_DATA = "No event has arrived yet: `tripcast simulate` or `tripcast replay FILE` produces some."


@dataclass(frozen=True, slots=True)
class SignalWords:
    """A monitored signal for people."""

    title: str
    unit: str


SIGNALS = {
    "log_ratio": SignalWords("Error: actual over predicted", "ln"),
    "completion_ratio": SignalWords("Completions: seen over expected", "ln"),
    "prediction": SignalWords("Predicted durations", "ln s"),
    "trip_length": SignalWords("Trip lengths", "ln km"),
    "hour_mix": SignalWords("Hours of the day", "PSI"),
    "area_mix": SignalWords("Areas", "PSI"),
    "missing_share": SignalWords("Trips without passengers", "share"),
    "refused_share": SignalWords("Refused events", "share"),
    "feed_fault": SignalWords("Feed faults", "of the limit"),
}


def phase_text(phase: str | None) -> str:
    """The loop's phase as a sentence."""
    return UNKNOWN_PHASE if phase is None else PHASES.get(phase, phase.replace("_", " "))


def signal_words(signal: str) -> SignalWords:
    """Title and unit of a signal, also of one that is new."""
    return SIGNALS.get(signal, SignalWords(signal.replace("_", " ").capitalize(), ""))
