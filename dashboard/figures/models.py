"""The page Models: what was trained, how the candidates compare, where the champion errs, and who was champion when."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.figures import charts, grids, parts, said
from dashboard.figures.overview import TRAIN, whose
from dashboard.frame import theme, words
from schemas.http.models import Models, ModelVersion, Reign, TrainingRun
from schemas.http.quality import Cohort, Quality
from schemas.http.snapshot import Areas

COLOURS = theme.SERIES[:6]  # without yellow, on which white is not read, and grey, which looks like nobody
COLUMNS = [
    grids.text("started", "Trained", width=165, hover="started_utc"),
    grids.text("candidate", "Kind", width=135),
    grids.text("version", "Version", width=85),
    grids.text("role", "Role", width=115),
    grids.linked("run", "Run", width=85),
    grids.number("rmse", "RMSE", 2, unit="min", width=100),
    grids.number("mae", "MAE", 2, unit="min", width=95),
    grids.number("r2", "R²", 3, width=75),
    grids.number("seconds", "Took", 1, unit="s", width=85),
    grids.number("rows", "Trips", 0, width=90),
    grids.text("reason", "Why", width=120, grow=1),
]


def run_rows(models: Models, zone: ZoneInfo) -> list[dict[str, Any]]:
    """One row per training, newest first; versions that no recorded training made have rows of their own."""
    known = {run.model_version for run in models.runs}
    roles = {version.version: version for version in models.versions}
    loose = [_version_row(version, zone) for version in models.versions if version.version not in known]
    rows = [_run_row(run, roles.get(run.model_version or 0), zone) for run in models.runs] + loose
    best_first = sorted(rows, key=lambda row: row["rmse"] if row["rmse"] is not None else math.inf)
    return sorted(best_first, key=lambda row: str(row["started"]), reverse=True)


def latest_session(runs: Sequence[TrainingRun]) -> list[TrainingRun]:
    """The newest training of each candidate, best first: what is compared."""
    newest: dict[str, TrainingRun] = {}
    for run in sorted(runs, key=lambda run: run.started_at):
        newest[run.candidate] = run
    return sorted(newest.values(), key=lambda run: run.rmse_minutes)


def comparison(models: Models) -> Component:
    """Bars and words about the newest training of each candidate."""
    runs = latest_session(models.runs)
    if not runs:
        return parts.card("Candidates compared", parts.empty("No training is recorded yet. This starts one:", TRAIN))
    errors = [
        {"kind": said.kind(run.candidate), "RMSE": round(run.rmse_minutes, 2), "MAE": round(run.mae_minutes, 2)} for run in runs
    ]
    explained = [{"kind": said.kind(run.candidate), "R²": round(run.r2, 3)} for run in runs]
    left = charts.bars(
        errors, "kind", {"RMSE": theme.BLUE, "MAE": theme.ORANGE}, label="RMSE and MAE by kind", formatter="minutes"
    )
    right = charts.bars(explained, "kind", {"R²": theme.GREEN}, label="R² by kind", formatter="plain")
    return parts.card(
        "Candidates compared",
        compared(runs),
        parts.columns(
            charts.titled("RMSE and MAE, minutes (lower is better)", left), charts.titled("R² (higher is better)", right)
        ),
        note="The newest training of each kind, over held-out trips newer than all they learned from.",
    )


def compared(runs: Sequence[TrainingRun]) -> Component:
    """Best, worst, and how far apart they are; `runs` best first, not empty."""
    best, worst = runs[0], runs[-1]
    if len(runs) == 1:
        return parts.sentence(f"Only {whose(best)} was trained: RMSE {words.minutes(best.rmse_minutes, 2)}.")
    gain, of = improvement(best, worst)
    return parts.tiles(
        parts.tile("Best", said.kind(best.candidate), f"RMSE {words.minutes(best.rmse_minutes, 2)}", tone="good"),
        parts.tile("Worst", said.kind(worst.candidate), f"RMSE {words.minutes(worst.rmse_minutes, 2)}"),
        parts.tile("Better by", words.minutes(gain, 2), "RMSE of the worst minus that of the best"),
        parts.tile("That is", words.percent(of, 1), "of the worst's RMSE"),
    )


def improvement(best: TrainingRun, worst: TrainingRun) -> tuple[float, float]:
    """In minutes of RMSE, and as a share of the worst."""
    gain = worst.rmse_minutes - best.rmse_minutes
    return gain, gain / worst.rmse_minutes if worst.rmse_minutes else 0.0


def by_hour(quality: Quality) -> Component:
    """The champion's mature error by hours of the day."""
    found = _settled(quality.mature)
    if not found:
        return parts.card(
            "Error by hour of the day",
            parts.empty("No trip is mature yet; this fills two hours of event time after the first."),
        )
    rows = [
        {"hours": cohort.segment, "MAE": round(cohort.mae_minutes or 0, 2), "RMSE": round(cohort.rmse_minutes or 0, 2)}
        for cohort in found
    ]
    chart = charts.bars(
        rows,
        "hours",
        {"RMSE": theme.BLUE, "MAE": theme.ORANGE},
        label="Error by hour of the day",
        height=330,
        formatter="minutes",
    )
    return parts.card("Error by hour of the day", chart, note=_hardest(found))


def by_area(quality: Quality, areas: Areas | None) -> Component:
    """The areas with the most trips, and the champion's mature error there."""
    found = sorted(_settled(quality.mature), key=lambda cohort: -cohort.settled)
    if not found:
        return parts.card(
            "Error by area of pickup", parts.empty("No trip is mature yet; this fills two hours of event time after the first.")
        )
    rows = [
        (
            place(one.segment, areas),
            words.count(one.settled),
            words.minutes(one.mae_minutes, 2),
            words.minutes(one.bias_minutes, 2),
        )
        for one in found[:TOP]
    ]
    body = parts.table(("Area (centre)", "Trips", "MAE", "Bias"), rows, label="Error by area of pickup")
    rest = f" {len(found) - TOP} more areas have fewer." if len(found) > TOP else ""
    return parts.card("Error by area of pickup", body, note=f"Where most trips begin; mature trips only.{rest}")


TOP = 8


def place(segment: str, areas: Areas | None) -> Component | str:
    """The centre of an area, as coordinates that lead to the page Live with only this area's trips."""
    area = next((area for area in areas.areas if area.name == segment), None) if areas else None
    if area is None:
        return segment
    return dmc.Anchor(segment.replace(",", ", "), href=f"/?area={area.area}", size="sm")


def reigns(models: Models, now: datetime, zone: ZoneInfo) -> Component:
    """Who was champion when: a strip to scale, and the same in words."""
    if not models.reigns:
        return parts.card(
            "Who was champion when", parts.empty("No version has been champion yet. This trains one and promotes it:", TRAIN)
        )
    colours = colours_of(models.reigns)
    rows = [
        (
            html.Span([_swatch(colours[reign.version]), f" v{reign.version}"]),
            parts.when(reign.since, zone),
            "now" if reign.until is None else parts.when(reign.until, zone),
            words.seconds(((reign.until or now) - reign.since).total_seconds()),
            dmc.Box(said.sentence(f"{reign.how.replace('_', ' ')} by {reign.actor}: {reign.reason}"), miw=220),
        )
        for reign in sorted(models.reigns, key=lambda reign: reign.since, reverse=True)
    ]
    body = parts.table(("Version", "From", "Until", "For", "How"), rows, label="Who was champion when")
    return parts.card("Who was champion when", strip(models.reigns, now, zone), body)


def strip(found: Sequence[Reign], now: datetime, zone: ZoneInfo) -> Component:
    """Reigns as parts of one bar, oldest left, widths to scale (none thinner than can be seen)."""
    ordered = sorted(found, key=lambda reign: reign.since)
    colours = colours_of(found)
    sections = [
        html.Div(
            f"v{reign.version}",
            className="reign",
            title=_in_office(reign, zone),
            style={"width": f"{width:.2f}%", "backgroundColor": colours[reign.version]},
        )
        for reign, width in zip(ordered, widths(ordered, now), strict=True)
    ]
    ends = dmc.Group(
        [dmc.Text(said.minute(ordered[0].since, zone), size="xs", c="dimmed"), dmc.Text("now", size="xs", c="dimmed")],
        justify="space-between",
    )
    label = f"Champions since {said.minute(ordered[0].since, zone)}: {', '.join(f'v{reign.version}' for reign in ordered)}"
    return dmc.Stack([parts.described(html.Div(sections, className="reigns"), label), ends], gap=4)


LEAST = 4.0  # percent of the strip: room for a name


def widths(ordered: Sequence[Reign], now: datetime) -> list[float]:
    """Percent of the strip for each reign, at least LEAST where that is possible; they add up to 100."""
    lasting = [max(0.0, ((reign.until or now) - reign.since).total_seconds()) for reign in ordered]
    total = math.fsum(lasting) or 1.0
    raw = [max(LEAST, 100 * each / total) for each in lasting]
    return [100 * each / math.fsum(raw) for each in raw]


def colours_of(found: Sequence[Reign]) -> dict[int, str]:
    """Neighbouring versions differ, and the same version has the same colour everywhere on the page."""
    return {version: COLOURS[place % len(COLOURS)] for place, version in enumerate(sorted({reign.version for reign in found}))}


def _in_office(reign: Reign, zone: ZoneInfo) -> str:
    until = "now" if reign.until is None else words.day_and_clock(reign.until, zone)
    return f"v{reign.version}: {words.day_and_clock(reign.since, zone)} to {until}"


def _swatch(colour: str) -> Component:
    return html.Span(className="swatch", style={"backgroundColor": colour})


def _settled(cohorts: Sequence[Cohort]) -> list[Cohort]:
    return [cohort for cohort in cohorts if cohort.role == "champion" and cohort.settled and cohort.mae_minutes is not None]


def _hardest(cohorts: Sequence[Cohort]) -> str:
    worst = max(cohorts, key=lambda cohort: cohort.mae_minutes or 0)
    error, trips = words.minutes(worst.mae_minutes, 2), said.several(worst.settled, "mature trip")
    return f"Hardest are {worst.segment}: MAE {error} over {trips}."


def _run_row(run: TrainingRun, version: ModelVersion | None, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "started": words.day_and_clock(run.started_at, zone),
        "started_utc": words.utc(run.started_at),
        "candidate": said.kind(run.candidate),
        "version": f"v{run.model_version}" if run.model_version else "",
        "role": _role(version),
        "rmse": run.rmse_minutes,
        "mae": run.mae_minutes,
        "r2": run.r2,
        "seconds": run.seconds,
        "rows": run.rows,
        "reason": run.reason,
        "run": _markdown(run.run_url),
    }


def _version_row(version: ModelVersion, zone: ZoneInfo) -> dict[str, Any]:
    metrics = version.metrics
    return {
        "id": f"v{version.version}",
        "started": words.day_and_clock(version.created_at, zone),
        "started_utc": words.utc(version.created_at),
        "candidate": said.kind(version.kind),
        "version": f"v{version.version}",
        "role": _role(version),
        "rmse": metrics.get("rmse_minutes"),
        "mae": metrics.get("mae_minutes"),
        "r2": metrics.get("r2"),
        "seconds": metrics.get("training_seconds"),
        "rows": None,
        "reason": "",
        "run": _markdown(version.run_url),
    }


def _role(version: ModelVersion | None) -> str:
    return ", ".join(version.aliases) if version else ""


def _markdown(address: str | None) -> str:
    return f"[MLflow ↗]({address})" if address else ""
