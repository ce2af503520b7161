"""The record of a training: what was learned from, how well, and what became of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One candidate trained once. Errors in minutes on the held-out trips of `split`; `model_version` if registered.

    The trips had pickups in [data_from, data_to]; `data_sha256` is the hash of their columns.
    """

    mlflow_run_id: str
    candidate: str
    split: str
    started_at: datetime
    seconds: float
    rows: int
    data_from: datetime
    data_to: datetime
    data_sha256: str
    rmse_minutes: float
    mae_minutes: float
    r2: float
    model_version: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class TrainedFrom:
    """The trips of a training: pickups in [data_from, data_to], and the hash of their columns."""

    rows: int
    data_from: datetime
    data_to: datetime
    data_sha256: str
