"""Canned documents of the stand-in API: one answer for each route, with numbers that could be true."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.http import health as of_health
from schemas.http import models as of_models
from schemas.http import predictions as of_predictions
from schemas.http import quality as of_quality

NOW = datetime.now(UTC).replace(microsecond=0)
RUN_URL = "http://127.0.0.1:5000/#/experiments/1/runs/0f3c"


def index() -> of_health.Index:
    return of_health.Index(
        name="tripcast", version="0.1.0", description="Predicts taxi trip durations.", links={"docs": "/docs"}
    )


def _check(name: str, *, needed: bool, detail: str = "answers") -> of_health.Check:
    return of_health.Check(name=name, ok=True, needed=needed, detail=detail, since=NOW - timedelta(hours=2), checked_at=NOW)


def health() -> of_health.Health:
    checks = [
        _check("database", needed=True),
        _check("champion", needed=True, detail="version 7"),
        _check("prediction_log", needed=True),
        _check("broker", needed=False),
        _check("registry", needed=False),
        _check("worker", needed=False, detail="committed 0.3 s ago"),
    ]
    return of_health.Health(status="ok", version="0.1.0", started_at=NOW - timedelta(hours=2), checks=checks)


def alive() -> of_health.Alive:
    return of_health.Alive(alive=True, loop_lag_seconds=0.0007)


def ready() -> of_health.Ready:
    return of_health.Ready(ready=True, degraded={})


def model_info() -> of_models.ModelInfo:
    return of_models.ModelInfo(
        name="trip-duration",
        version=7,
        kind="xgboost",
        run_id="0f3c",
        feature_schema="f3",
        created_at=NOW - timedelta(hours=26),
        metrics=_metrics(7),
        registry_up=True,
        local_copy=False,
        refused=None,
        run_url=RUN_URL,
    )


def _metrics(version: int) -> dict[str, float]:
    return {"rmse_minutes": 5.6 - version * 0.07, "mae_minutes": 3.9 - version * 0.06, "r2": 0.70 + version * 0.012}


def models() -> of_models.Models:
    kinds = ("baseline", "ridge", "forest", "xgboost")
    versions = [
        of_models.ModelVersion(
            version=number,
            kind=kinds[min(number // 2, 3)],
            run_id=f"run-{number}",
            created_at=NOW - timedelta(hours=12 * (9 - number)),
            aliases={7: ["champion"], 8: ["challenger"]}.get(number, []),
            metrics=_metrics(number),
            feature_schema="f3",
            run_url=RUN_URL,
        )
        for number in range(8, 0, -1)
    ]
    runs = [
        of_models.TrainingRun(
            run_id=f"run-{number}-{kind}",
            candidate=kind,
            started_at=NOW - timedelta(hours=12 * (9 - number)),
            seconds=4.0 + 21 * place,
            rows=180_000,
            data_from=NOW - timedelta(days=28),
            data_to=NOW - timedelta(hours=12 * (9 - number)),
            rmse_minutes=_metrics(number)["rmse_minutes"] + (3 - place) * 0.4,
            mae_minutes=_metrics(number)["mae_minutes"] + (3 - place) * 0.3,
            r2=_metrics(number)["r2"] - (3 - place) * 0.05,
            model_version=number if kind == "xgboost" else None,
            reason="drift" if number > 1 else "first",
            run_url=RUN_URL,
        )
        for number in range(8, 0, -1)
        for place, kind in enumerate(kinds)
    ]
    return of_models.Models(name="trip-duration", registry_up=True, versions=versions, runs=runs, reigns=_reigns())


def _reigns() -> list[of_models.Reign]:
    starts = [NOW - timedelta(hours=hours) for hours in (96, 72, 70, 26)]
    ends = [*starts[1:], None]
    said = [
        ("first", "trainer", "first model"),
        ("promoted", "loop", "MAE 6 % lower"),
        ("rolled_back", "watch", "worse in pairs"),
    ]
    said.append(("promoted", "loop", "MAE 9 % lower"))
    reigns = [
        of_models.Reign(version=version, since=since, until=until, how=how, actor=actor, reason=reason)
        for version, since, until, (how, actor, reason) in zip((1, 5, 1, 7), starts, ends, said, strict=True)
    ]
    return list(reversed(reigns))


SEGMENTS = {
    "hour": ["0-6 h", "6-10 h", "10-16 h", "16-20 h", "20-24 h"],
    "area": [
        f"{latitude:.3f},{longitude:.3f}"
        for latitude, longitude in (
            (40.775, -73.975),
            (40.725, -73.975),
            (40.775, -73.925),
            (40.725, -74.025),
            (40.675, -73.975),
            (40.825, -73.925),
            (40.775, -73.875),
            (40.675, -73.925),
            (40.625, -73.775),
            (40.725, -73.925),
        )
    ],
}


def champion_at() -> of_models.ChampionAt:
    return of_models.ChampionAt(at=NOW, version=7, reign=_reigns()[0])


def quality(by: str) -> of_quality.Quality:
    segments = SEGMENTS.get(by, ["city"])
    mature = [
        of_quality.Cohort(
            segment=segment,
            role="champion",
            mature=True,
            started=int(1800 / (1 + place)) + 40,
            settled=int(1760 / (1 + place)) + 40,
            coverage=0.978,
            mae_minutes=3.0 + place % 7 / 5,
            rmse_minutes=4.6 + place % 7 / 4,
            bias_minutes=-0.2,
            log_ratio=-0.03,
            interval_coverage=0.897,
        )
        for place, segment in enumerate(segments)
    ]
    return of_quality.Quality(
        by=by,
        since=NOW - timedelta(days=1),
        until=NOW,
        mature_until=NOW - timedelta(hours=2),
        mature=mature,
        immature=[],
        started=43_210,
        settled=42_260,
        pending=890,
        expired=60,
        late=12,
    )


def history() -> of_models.History:
    events = [
        of_models.LifecycleEvent(
            at=NOW - timedelta(hours=hours), kind=kind, subject=subject, actor="loop", reason=reason, details=details
        )
        for hours, kind, subject, reason, details in (
            (26, "model.promoted", "episode 1", "MAE 9 % lower on 2 000 pairs", {"version": 7, "replaced": 1}),
            (9, "drift.alarm", "episode 2", "trips take 12 % longer than normal for this version", {}),
            (8, "retraining.finished", "episode 2", "drift", {"version": 8, "candidate": "xgboost", "outcome": "registered"}),
            (3, "role.started", "worker-1", "start", {}),
        )
    ]
    return of_models.History(at=NOW, champion=events[0], events=events, requests=[], verdicts=[])


def system() -> of_health.System:
    roles = [
        of_health.RoleStatus(
            name=name,
            address=f"http://127.0.0.1:{port}",
            up=name != "trainer",
            ready=name != "trainer",
            detail="answers" if name != "trainer" else "connection refused",
            version="0.1.0",
            started_at=NOW - timedelta(hours=5),
            cpu_percent=12.5,
            memory_bytes=412e6,
            loop_lag_seconds=0.001,
        )
        for name, port in (("api", 8000), ("worker", 8001), ("trainer", 8002), ("board", 8050), ("mlflow", 5000))
    ]
    api = of_health.ApiTraffic(
        requests_per_second=12.4,
        p50_seconds=0.0012,
        p99_seconds=0.0071,
        error_share=0.002,
        requests=[10 + second % 7 for second in range(60)],
        by_route={"/predict": 420, "/snapshot": 60, "/health": 12},
    )
    return of_health.System(
        environment="local",
        roles=roles,
        api=api,
        pools=[of_health.Pool(name="reads", size=3, idle=2, most=4)],
        settings=[
            of_health.Setting(name=name, value=value, origin=origin)
            for name, value, origin in (
                ("TRIPCAST_API_HOST", "127.0.0.1", "default"),
                ("TRIPCAST_API_PORT", "8000", "environment"),
                ("TRIPCAST_DATABASE", "postgresql://tripcast:***@127.0.0.1/tripcast", "stack.env"),
                ("TRIPCAST_KAFKA", "127.0.0.1:9092", "stack.env"),
                ("TRIPCAST_MLFLOW", "http://127.0.0.1:5000", "stack.env"),
                ("TRIPCAST_TIMEZONE", "America/New_York", "default"),
            )
        ],
        builds=of_health.Builds(builds=[], hint="Set TRIPCAST_CI_REPOSITORY and TRIPCAST_CI_TOKEN to see builds."),
        machine_cpu_percent=37.0,
        machine_memory_bytes=24e9,
        machine_memory_used_bytes=9.1e9,
        disk_bytes=200e9,
        disk_used_bytes=63e9,
        database_bytes=1_073_741_824,
    )


def reloaded() -> of_models.Reloaded:
    return of_models.Reloaded(changed=False, version=7, before=7, registry_up=True, refused=None)


def prediction() -> of_predictions.Prediction:
    return of_predictions.Prediction(
        prediction_id="0195fb1e-0000-7000-8000-000000000001",
        duration_seconds=762.0,
        duration_minutes=12.7,
        interval=of_predictions.Interval(lower_seconds=540.0, upper_seconds=1080.0),
        model=of_predictions.ModelName(name="trip-duration", kind="xgboost", version=7, run_id="0f3c"),
    )


def openapi() -> dict[str, Any]:
    schema, parts = msgspec.json.schema_components(
        [of_predictions.PredictionRequest], ref_template="#/components/schemas/{name}"
    )
    body = {"required": True, "content": {"application/json": {"schema": schema[0]}}}
    return {"openapi": "3.1.0", "paths": {"/predict": {"post": {"requestBody": body}}}, "components": {"schemas": parts}}
