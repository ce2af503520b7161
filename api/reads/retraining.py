"""Episodes of the closed loop as a timeline of seven steps, put together from what was recorded. Pure; times are wall time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.reads.words import HINT, phase_text
from domain.entities.models import LifecycleEvent
from domain.entities.story import AskedFor, Story, Verdict
from schemas.http.snapshot import Episode, Retraining, Step, StepState

MOST_EPISODES = 10
MODEL_GATES = {"sound", "finite", "scoring time", "trusted", "newest window", "slices"}  # every other gate judges the data
NAMES = ("trigger", "data gate", "train", "compare", "shadow", "promoted", "rolled back")
BEGINNINGS = {"drift.confirmed", "retraining.held", "retraining.requested", "retraining.finished", "retraining.failed"}
CAUSES = {
    "world_change": "drift in the whole city",
    "local_change": "drift in some areas",
    "follow_up": "follow-up of a change",
    "schedule": "schedule",
    "by_hand": "by hand",
}


def retraining(story: Story, phase: str | None) -> Retraining:
    """The newest episodes first."""
    subjects = {event.subject: event.at for event in story.events if event.kind in BEGINNINGS}
    subjects |= {asked.subject: asked.requested_at for asked in story.requests if asked.kind == "retraining"}
    newest = sorted(subjects, key=lambda subject: subjects[subject], reverse=True)[:MOST_EPISODES]
    episodes = [episode(Told.of(subject, story)) for subject in newest]
    return Retraining(phase=phase, phase_text=phase_text(phase), episodes=episodes, hint="" if episodes else HINT)


@dataclass(frozen=True, slots=True)
class Told:
    """What was recorded of one subject. `events` by kind, the newest of each; `changes`: all changes of the champion."""

    subject: str
    events: dict[str, LifecycleEvent]
    requests: dict[str, AskedFor]
    verdicts: tuple[Verdict, ...]
    changes: tuple[LifecycleEvent, ...]

    @classmethod
    def of(cls, subject: str, story: Story) -> "Told":
        """Pick out what belongs to a subject: its own records, and changes of the champion that it asked for."""
        changes = tuple(event for event in story.events if event.kind in ("model.promoted", "model.rolled_back"))
        mine = [event for event in story.events if subject in (event.subject, event.details.get("request"))]
        verdicts = tuple(verdict for verdict in story.verdicts if verdict.subject == subject)
        requests = {asked.kind: asked for asked in story.requests if asked.subject == subject}
        return cls(subject, {event.kind: event for event in mine}, requests, verdicts, changes)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a step; state None: it has not come."""

    state: StepState | None = None
    at: datetime | None = None
    text: str = ""


NOT_YET = Found()


def episode(told: Told) -> Episode:
    """Its steps in order. After a refusal the rest is skipped, and so is what others have passed by."""
    found = (_trigger(told), _data_gate(told), _train(told), _compare(told), _shadow(told), _promoted(told), _rolled_back(told))
    return Episode(subject=told.subject, cause=_cause(told), began_at=found[0].at, steps=_steps(found))


def _steps(found: Sequence[Found]) -> list[Step]:
    last = max((place for place, each in enumerate(found) if each.state), default=-1)
    refused = next((place for place, each in enumerate(found) if each.state == "refused"), len(found))
    steps = []
    for place, (name, each) in enumerate(zip(NAMES, found, strict=True)):
        if place > refused:
            steps.append(Step(name=name, state="skipped", at=None, text=""))
            continue
        state: StepState = each.state or ("skipped" if place < last else "waiting")
        steps.append(Step(name=name, state=state, at=each.at, text=each.text))
    return steps


def _cause(told: Told) -> str:
    confirmed = told.events.get("drift.confirmed")
    asked = told.events.get("retraining.requested")
    kinds = [event.details.get("cause") for event in (confirmed, asked) if event is not None]
    kind = next((str(kind) for kind in kinds if kind), None)
    if kind is None:
        return "by hand" if "retraining.finished" in told.events and not told.requests else "drift"
    return CAUSES.get(kind, kind.replace("_", " "))


def _trigger(told: Told) -> Found:
    event = next((told.events[kind] for kind in ("drift.confirmed", "retraining.requested") if kind in told.events), None)
    if event is not None:
        return Found("done", event.at, event.reason)
    if request := told.requests.get("retraining"):
        return Found("done", request.requested_at, request.reason)
    finished = told.events.get("retraining.finished") or told.events.get("retraining.failed")
    return Found("done", finished.at, finished.reason) if finished else NOT_YET


def _data_gate(told: Told) -> Found:
    return _judged(verdict for verdict in told.verdicts if verdict.gate not in MODEL_GATES)


def _compare(told: Told) -> Found:
    return _judged(verdict for verdict in told.verdicts if verdict.gate in MODEL_GATES)


def _judged(verdicts: Iterable[Verdict]) -> Found:
    listed = list(verdicts)
    if not listed:
        return NOT_YET
    failed = [f"{verdict.gate}: {verdict.reason}" for verdict in listed if not verdict.passed]
    at = max(verdict.at for verdict in listed)
    if failed:
        return Found("refused", at, "; ".join(failed))
    return Found("done", at, f"{len(listed)} checks passed")


def _train(told: Told) -> Found:
    request, held = told.requests.get("retraining"), told.events.get("retraining.held")
    if failed := told.events.get("retraining.failed"):
        return Found("refused", failed.at, failed.reason)
    if finished := told.events.get("retraining.finished"):
        return Found("done", finished.at, _trained(finished))
    if request is None:
        if dismissed := told.events.get("drift.dismissed"):
            return Found("refused", dismissed.at, dismissed.reason)
        return Found("current", held.at, f"held back: {held.reason}") if held else NOT_YET
    if request.outcome is None:
        return Found("current", request.requested_at, "waiting for the trainer, or being trained")
    told_by_a_gate = any(not verdict.passed for verdict in told.verdicts)
    refused = request.outcome in ("refused", "failed") and not told_by_a_gate
    return Found("refused" if refused else "done", request.answered_at, request.answer or "")


def _trained(finished: LifecycleEvent) -> str:
    details = finished.details
    if details.get("outcome") == "refused":
        return str(details.get("why") or finished.reason)
    parts = [str(details[name]) for name in ("candidate",) if details.get(name)]
    parts += [f"version {details['version']}"] if details.get("version") else []
    rmse = details.get("rmse_minutes")
    return ", ".join([*parts, *([f"RMSE {rmse:.2f} min"] if isinstance(rmse, float) else [])])


def _shadow(told: Told) -> Found:
    began = told.events.get("challenger.shadowing")
    if began is None:
        return NOT_YET
    if withdrawn := told.events.get("challenger.withdrawn"):
        return Found("refused", withdrawn.at, withdrawn.reason)
    ended = told.requests.get("promotion") or told.requests.get("dismissal")
    if ended is None:
        return Found("current", began.at, began.reason)
    return Found("done", began.at, began.reason)


def _promoted(told: Told) -> Found:
    promotion, dismissal = told.requests.get("promotion"), told.requests.get("dismissal")
    if event := told.events.get("model.promoted"):
        return Found("done", event.at, f"{event.subject} became champion: {event.reason}")
    if promotion is not None and promotion.outcome is None:
        return Found("current", promotion.requested_at, promotion.reason)
    if promotion is not None:
        state: StepState = "done" if promotion.outcome == "done" else "refused"
        return Found(state, promotion.answered_at, promotion.answer or promotion.reason)
    if dismissal is not None:
        return Found("refused", dismissal.requested_at, dismissal.reason)
    finished = told.events.get("retraining.finished")
    if finished is not None and finished.details.get("outcome") == "promoted":
        return Found("done", finished.at, f"version {finished.details.get('version')} became champion")
    return NOT_YET


def _rolled_back(told: Told) -> Found:
    if event := told.events.get("model.rolled_back"):
        return Found("done", event.at, event.reason)
    if request := told.requests.get("rollback"):
        return Found(
            "current" if request.outcome is None else "refused", request.requested_at, request.answer or request.reason
        )
    if passed := told.events.get("watch.passed"):
        return Found("skipped", passed.at, passed.reason)
    promoted = told.events.get("model.promoted")
    if promoted is None or "promotion" not in told.requests:
        return NOT_YET
    if any(change.at > promoted.at for change in told.changes):
        return Found("skipped", None, "another version became champion meanwhile")
    return Found("current", promoted.at, "the new champion is watched against the one before")
