"""Model versions, who was champion when, and what was decided."""

from typing import Any

from schemas.http.base import Answer, Instant


class RefusedVersion(Answer, frozen=True):
    """A version that should score and failed a check; the one before goes on."""

    version: int
    reason: str


class ModelInfo(Answer, frozen=True):
    """The champion that this API answers with. `local_copy`: the registry has not confirmed that it still is champion."""

    name: str
    version: int
    kind: str
    run_id: str
    feature_schema: str
    created_at: Instant
    metrics: dict[str, float]
    registry_up: bool
    local_copy: bool
    refused: RefusedVersion | None
    run_url: str | None


class Reloaded(Answer, frozen=True):
    """What a reload found."""

    changed: bool
    version: int | None
    before: int | None
    registry_up: bool
    refused: RefusedVersion | None


class ModelVersion(Answer, frozen=True):
    """A registered version. Metrics by MLflow name, for example `rmse_minutes`."""

    version: int
    kind: str
    run_id: str
    created_at: Instant
    aliases: list[str]
    metrics: dict[str, float]
    feature_schema: str
    run_url: str | None


class TrainingRun(Answer, frozen=True):
    """One candidate's training; `model_version` is set for the one that was registered."""

    run_id: str
    candidate: str
    started_at: Instant
    seconds: float
    rows: int
    data_from: Instant
    data_to: Instant
    rmse_minutes: float
    mae_minutes: float
    r2: float
    model_version: int | None
    reason: str
    run_url: str | None


class Reign(Answer, frozen=True):
    """A version's time as champion, wall time; `until` None: it still is."""

    version: int
    since: Instant
    until: Instant | None
    how: str
    actor: str
    reason: str


class Models(Answer, frozen=True):
    """Newest first. `registry_up` False: the versions are what was known last."""

    name: str
    registry_up: bool
    versions: list[ModelVersion]
    runs: list[TrainingRun]
    reigns: list[Reign]


class ChampionAt(Answer, frozen=True):
    """Who was champion at a moment of wall time; version None: nobody was."""

    at: Instant
    version: int | None
    reign: Reign | None


class LifecycleEvent(Answer, frozen=True):
    """Something that happened to a model, the stream or a role."""

    at: Instant
    kind: str
    subject: str
    actor: str
    reason: str
    details: dict[str, Any]


class AskedFor(Answer, frozen=True):
    """A request of the closed loop and its answer, if there is one. `event_at` is event time."""

    kind: str
    subject: str
    reason: str
    event_at: Instant
    requested_at: Instant
    answered_at: Instant | None
    outcome: str | None
    version: int | None
    answer: str | None


class Verdict(Answer, frozen=True):
    """What a gate found."""

    subject: str
    model_version: int | None
    gate: str
    passed: bool
    reason: str
    numbers: dict[str, float]
    at: Instant


class History(Answer, frozen=True):
    """What was decided about models up to a moment, oldest first."""

    at: Instant
    champion: LifecycleEvent | None
    events: list[LifecycleEvent]
    requests: list[AskedFor]
    verdicts: list[Verdict]
