from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from dashboard.figures import models, overview, stories
from schemas.http.models import History, LifecycleEvent, Models, RefusedVersion, Reign, TrainingRun
from tests.fakes import api_documents as documents
from tests.fakes.api_snapshot import City
from tests.unit.board_reading import texts

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(kind: str, rmse: float, *, hours_ago: float = 1, version: int | None = None) -> TrainingRun:
    return TrainingRun(
        run_id=f"{kind}-{hours_ago}",
        candidate=kind,
        started_at=NOW - timedelta(hours=hours_ago),
        seconds=4.0,
        rows=1000,
        data_from=NOW - timedelta(days=9),
        data_to=NOW,
        rmse_minutes=rmse,
        mae_minutes=rmse / 2,
        r2=0.7,
        model_version=version,
        reason="drift",
        run_url="http://mlflow/run",
    )


def all_of(*runs: TrainingRun, reigns: tuple[Reign, ...] = ()) -> Models:
    return Models(name="trip-duration", registry_up=True, versions=[], runs=list(runs), reigns=list(reigns))


def reign(version: int, since_hours: float, until_hours: float | None) -> Reign:
    until = None if until_hours is None else NOW - timedelta(hours=until_hours)
    since = NOW - timedelta(hours=since_hours)
    return Reign(version=version, since=since, until=until, how="promoted", actor="loop", reason="better")


def test_only_the_newest_training_of_each_kind_is_compared_best_first():
    found = models.latest_session([run("a", 5.0), run("b", 4.0), run("a", 3.0, hours_ago=9)])
    assert [(one.candidate, one.rmse_minutes) for one in found] == [("b", 4.0), ("a", 5.0)]


def test_the_improvement_is_told_in_minutes_and_as_a_share_of_the_worst():
    assert models.improvement(run("a", 4.0), run("b", 5.0)) == (1.0, 0.2)
    assert {"1.00 min", "20.0 %"} <= texts(models.compared([run("a", 4.0), run("b", 5.0)]))


def test_one_kind_alone_is_compared_with_nothing():
    assert "Only linear model was trained: RMSE 4.00 min." in texts(models.compared([run("linear_model", 4.0)]))


def test_rows_are_newest_first_and_a_versions_role_stands_with_its_training():
    given = documents.models()
    rows = models.run_rows(given, UTC_ZONE)
    assert [row["started"] for row in rows] == sorted((row["started"] for row in rows), reverse=True)
    assert {row["version"]: row["role"] for row in rows if row["role"]} == {"v7": "champion", "v8": "challenger"}


def test_a_version_that_no_recorded_training_made_has_a_row_of_its_own():
    alone = msgspec.structs.replace(documents.models(), runs=[])
    rows = models.run_rows(alone, UTC_ZONE)
    assert len(rows) == len(alone.versions)
    assert rows[0]["rmse"] == alone.versions[0].metrics["rmse_minutes"]
    assert len({row["id"] for row in rows}) == len(rows)


def test_before_the_first_training_the_page_says_what_starts_one():
    assert overview.TRAIN in texts(models.comparison(all_of()))
    assert overview.TRAIN in texts(models.reigns(all_of(), NOW, UTC_ZONE))


def test_widths_of_reigns_add_up_and_none_vanishes():
    found = [reign(1, 1000, 10), reign(2, 10, 9.999), reign(3, 9.999, None)]
    widths = models.widths(found, NOW)
    assert abs(sum(widths) - 100) < 1e-9
    assert min(widths) > 3
    assert widths[0] == max(widths)


def test_reigns_of_one_version_share_a_colour_and_those_of_two_do_not():
    colours = models.colours_of([reign(1, 9, 8), reign(7, 8, 7), reign(1, 7, None)])
    assert len(colours) == 2
    assert colours[1] != colours[7]


def test_the_champion_that_still_reigns_is_until_now():
    shown = texts(models.reigns(all_of(reigns=(reign(3, 2, None),)), NOW, UTC_ZONE))
    assert {"now", "2 h 00 min"} <= shown


def test_only_the_champions_settled_cohorts_count_by_hour():
    quality = documents.quality("hour")
    challenger = msgspec.structs.replace(quality.mature[0], role="challenger", segment="hidden")
    unsettled = msgspec.structs.replace(quality.mature[0], settled=0, segment="hidden too")
    shown = texts(models.by_hour(msgspec.structs.replace(quality, mature=[*quality.mature, challenger, unsettled])))
    assert not any("hidden" in text for text in shown)
    assert any(text.startswith("Hardest are 20-24 h") for text in shown)


def test_without_mature_trips_the_error_says_what_it_waits_for():
    quality = msgspec.structs.replace(documents.quality("city"), mature=[])
    assert any("No trip is old enough yet" in text for text in texts(overview.error_now(quality, None, None)))


def test_the_error_now_stands_beside_what_the_training_promised():
    info = msgspec.structs.replace(documents.model_info(), metrics={"mae_minutes": 2.5, "rmse_minutes": 4.6})
    shown = texts(overview.error_now(documents.quality("city"), info, City().snapshot("boot", "15m", None)))
    assert "20 % above training (2.50 min)" in shown  # so far
    assert len([text for text in shown if text.endswith("training (4.60 min)")]) == 1  # now
    assert overview.against(4.61, 4.6) == "as in training (4.60 min)"
    assert overview.leaning(-0.2) == "Predictions are 0.20 min too short on average."
    assert overview.against(2.0, None) == ""


def test_what_the_training_knew_fills_what_the_registry_does_not_say():
    info = msgspec.structs.replace(documents.model_info(), metrics={})
    made = run("xgboost", 4.25, version=info.version)
    assert "4.25 min" in texts(overview.production(info, all_of(made), UTC_ZONE))
    assert "4.25 min" not in texts(overview.production(info, None, UTC_ZONE))


def test_a_refused_version_and_a_silent_registry_are_named():
    info = documents.model_info()
    refused = msgspec.structs.replace(info, refused=RefusedVersion(version=9, reason="wrong inputs."))
    assert overview.standing(refused) == ("Version 9 should answer and was refused: wrong inputs. Version 7 goes on.")
    assert "cannot be asked" in overview.standing(msgspec.structs.replace(info, registry_up=False))


def event(kind: str, hours_ago: float, **details: object) -> LifecycleEvent:
    at = NOW - timedelta(hours=hours_ago)
    return LifecycleEvent(at=at, kind=kind, subject="episode 2", actor="loop", reason="because", details=details)


def test_events_are_told_in_words():
    promoted = stories.told(event("model.promoted", 1, version=3, replaced=2))
    assert promoted.what == "A new champion: version 3 instead of version 2"
    assert stories.told(event("retraining.held", 1, why="too soon")).why == "too soon"
    assert stories.told(event("shadow_began.again", 1)).what == "Shadow began again: episode 2"


def test_only_the_last_day_is_told_newest_first():
    events = [event("drift.alarm", 25), event("drift.alarm", 23), event("model.promoted", 1, version=3)]
    history = History(at=NOW, champion=None, events=events, requests=[], verdicts=[])
    assert [one.at for one in stories.last_day(history, NOW)] == [events[2].at, events[1].at]


def test_of_a_very_busy_day_the_rest_is_counted():
    told = [stories.told(event("drift.alarm", 1))] * (stories.MOST + 5)
    assert "And 5 more, earlier." in texts(stories.timeline(told, UTC_ZONE))
