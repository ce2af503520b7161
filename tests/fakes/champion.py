"""A champion without a registry: arithmetic instead of trees, with the same promises (float32, row by row the same bits)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.entities.models import ModelVersion
from domain.errors import NoChampion
from domain.features import DEFAULT_CITY_TIMEZONE, CityClock, Matrix, feature_schema
from domain.intervals import IntervalBands
from domain.ports import ScoringModel
from domain.services.follow_champion import ChampionReport
from domain.services.follow_shadow import ShadowReport


@dataclass(frozen=True, slots=True)
class ArithmeticModel:
    """A minute, and three more for each column's weight; enough to tell trips apart."""

    version: int = 1
    feature_schema: str = feature_schema(CityClock(DEFAULT_CITY_TIMEZONE))
    intervals: IntervalBands = field(default_factory=lambda: IntervalBands((600.0,), (0.5, 0.6), (1.5, 1.8)))

    def duration_seconds(self, features: Matrix) -> NDArray[np.float32]:
        return np.asarray(60 * self.version + np.abs(features[:, 0] - features[:, 2]) * np.float32(30_000), dtype=np.float32)


@dataclass(slots=True)
class FixedChampion:
    """What `FollowChampion` is to the worker, with whatever model a test puts into it."""

    model: ScoringModel | None = None
    _told: ScoringModel | None = None

    def current(self) -> ScoringModel:
        if self.model is None:
            raise NoChampion("the test has not given one")
        return self.model

    def serving(self) -> tuple[ModelVersion, ScoringModel]:
        model = self.current()
        return _version_of(model), model

    def refresh(self) -> ChampionReport:
        changed, self._told = self._told is not self.model, self.model
        return ChampionReport(_version_of(self.model) if self.model else None, changed=changed)


@dataclass(slots=True)
class FixedShadow:
    """What `FollowShadow` is to the worker, with whatever model a test puts into it."""

    model: ScoringModel | None = None
    _told: ScoringModel | None = None

    def beside(self, champion: ScoringModel) -> ScoringModel | None:
        return None if self.model is None or self.model.version == champion.version else self.model

    def refuse(self, model: ScoringModel) -> None:
        if self.model is model:
            self.model = None

    def refresh(self) -> ShadowReport:
        changed, self._told = self._told is not self.model, self.model
        return ShadowReport(_version_of(self.model) if self.model else None, changed)


def _version_of(model: ScoringModel) -> ModelVersion:
    return ModelVersion(model.version, f"run-{model.version}", "arithmetic", model.feature_schema, datetime.now(UTC), ())
