"""The page Overview: who is in production, how good it was in training and is now, and what happened in the last day."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dash.development.base_component import Component

from dashboard.figures import parts, said, stories
from dashboard.frame import words
from schemas.http.models import History, ModelInfo, Models, TrainingRun
from schemas.http.quality import Cohort, Quality
from schemas.http.snapshot import Snapshot

TRAIN = "tripcast train"


def production(info: ModelInfo, models: Models | None, zone: ZoneInfo) -> Component:
    """The version that answers, and the training that it comes from."""
    run = training_of(models, info.version) if models else None
    head = parts.tiles(
        parts.tile("In production", f"{said.kind(info.kind)} · v{info.version}", info.name, tone="accent"),
        parts.tile("RMSE", words.minutes(_metric(info, run, "rmse_minutes"), 2), "in training", means=RMSE),
        parts.tile("MAE", words.minutes(_metric(info, run, "mae_minutes"), 2), "in training", means=MAE),
        parts.tile("R²", said.metric(_metric(info, run, "r2")), "in training", means=R2),
    )
    return parts.card("The model in production", head, _origin(info, run, zone), note=standing(info), action=_run_link(info))


RMSE = (
    "Root of the mean squared error, predicted minus actual, over held-out trips that are newer than all trips it learned from."
)
MAE = "Mean of the absolute error, predicted minus actual, over the same held-out trips."
R2 = "Share of the durations' variance that the model explains: 1 is perfect, 0 is no better than the mean."


def standing(info: ModelInfo) -> str:
    """Whether the registry stands behind this version, in a sentence."""
    if info.refused is not None:
        refused = f"Version {info.refused.version} should answer and was refused: {info.refused.reason.rstrip('.')}"
        return f"{refused}. Version {info.version} goes on."
    if info.local_copy or not info.registry_up:
        return "The model registry cannot be asked; the verified local copy answers."
    return "The registry confirms it as champion."


def training_of(models: Models, version: int) -> TrainingRun | None:
    """The training that a version came from, where it is known."""
    return next((run for run in models.runs if run.model_version == version), None)


def error_now(quality: Quality, info: ModelInfo | None, snapshot: Snapshot | None) -> Component:
    """The error over trips that have ended, of late and from the start, beside what the training promised."""
    cohort = champion_cohort(quality.mature)
    if cohort is None or cohort.mae_minutes is None:
        return parts.card("The error in service", parts.empty(YOUNG))
    promised = info.metrics if info else {}
    late = snapshot.cards.data.mature_error if snapshot and snapshot.cards.data else None
    mae, rmse = (late.mae_minutes, late.rmse_minutes) if late else (None, None)
    numbers = parts.tiles(
        parts.tile("MAE now", words.minutes(mae, 2), against(mae, promised.get("mae_minutes")), means=LATE),
        parts.tile("RMSE now", words.minutes(rmse, 2), against(rmse, promised.get("rmse_minutes")), means=LATE),
        parts.tile(
            "MAE so far", words.minutes(cohort.mae_minutes, 2), against(cohort.mae_minutes, promised.get("mae_minutes"))
        ),
        parts.tile("Inside the interval", words.percent(cohort.interval_coverage, 1), "so far; 90 % is right", means=COVERAGE),
    )
    note = f"Over {said.several(cohort.settled, 'mature trip')} so far; {pending(quality)}. {leaning(cohort.bias_minutes)}"
    return parts.card("The error in service", numbers, note=note)


YOUNG = "No trip is old enough yet: errors count two hours after the start, when nearly all trips of that time have ended."
LATE = "Over the trips that became mature in the last 15 minutes."


def leaning(bias: float | None) -> str:
    """To which side predictions err, in a sentence."""
    if bias is None:
        return ""
    return f"Predictions are {words.minutes(abs(bias), 2)} too {'long' if bias > 0 else 'short'} on average."


COVERAGE = "Share of trips whose actual duration lay inside the predicted interval."


def pending(quality: Quality) -> str:
    """What has not ended yet, in words."""
    given_up = f", {words.count(quality.expired)} were given up" if quality.expired else ""
    return f"{words.count(quality.pending)} are still on their way{given_up}"


def against(now: float | None, then: float | None) -> str:
    """How a number stands to the one of the training."""
    if now is None or not then:
        return ""
    change = now / then - 1
    if abs(change) < 0.005:  # noqa: PLR2004 - what rounds to 0%
        return f"as in training ({words.minutes(then, 2)})"
    return f"{words.percent(abs(change), 0)} {'above' if change > 0 else 'below'} training ({words.minutes(then, 2)})"


def champion_cohort(cohorts: Sequence[Cohort]) -> Cohort | None:
    """The champion's row of a report about the whole city."""
    return next((cohort for cohort in cohorts if cohort.role == "champion"), None)


def best(models: Models) -> Component:
    """The best number of each metric over all trainings, and whose it is."""
    if not models.runs:
        return parts.card("Best so far", parts.empty("No training is recorded yet. This starts one:", TRAIN))
    by_rmse = min(models.runs, key=lambda run: run.rmse_minutes)
    by_mae = min(models.runs, key=lambda run: run.mae_minutes)
    by_r2 = max(models.runs, key=lambda run: run.r2)
    fastest = min(models.runs, key=lambda run: run.seconds)
    numbers = parts.tiles(
        parts.tile("Lowest RMSE", words.minutes(by_rmse.rmse_minutes, 2), whose(by_rmse)),
        parts.tile("Lowest MAE", words.minutes(by_mae.mae_minutes, 2), whose(by_mae)),
        parts.tile("Highest R²", said.metric(by_r2.r2), whose(by_r2)),
        parts.tile("Fastest training", words.seconds(fastest.seconds), whose(fastest)),
    )
    return parts.card("Best so far", numbers, note=f"Over {said.several(len(models.runs), 'training')} of a candidate.")


def whose(run: TrainingRun) -> str:
    """Candidate and, if it was registered, version."""
    return said.kind(run.candidate) + ("" if run.model_version is None else f", v{run.model_version}")


def day(history: History, now: datetime, zone: ZoneInfo) -> Component:
    """The last 24 hours."""
    events = stories.last_day(history, now)
    if not events:
        text = "Nothing was decided about models in the last 24 hours: no training, no new champion, no alarm."
        return parts.card("The last day", parts.empty(text))
    return parts.card("The last day", stories.timeline(events, zone), note="What was decided about models, newest first.")


def _metric(info: ModelInfo, run: TrainingRun | None, name: str) -> float | None:
    found = info.metrics.get(name)
    return found if found is not None or run is None else getattr(run, name)


def _origin(info: ModelInfo, run: TrainingRun | None, zone: ZoneInfo) -> Component:
    seconds = info.metrics.get("training_seconds", run.seconds if run else None)
    rows: list[tuple[str, parts.Content]] = [
        ("Registered", parts.when(info.created_at, zone)),
        ("Training took", words.seconds(seconds)),
    ]
    if run is not None:
        rows += [
            (
                "Learned from",
                f"{words.count(run.rows)} trips, {said.day(run.data_from, zone)} to {said.day(run.data_to, zone)}",
            ),
            ("Why it was trained", run.reason),
        ]
    return parts.facts([*rows, ("Inputs", f"schema {info.feature_schema}")])


def _run_link(info: ModelInfo) -> Component | None:
    return parts.link("MLflow run ↗", info.run_url) if info.run_url else None
