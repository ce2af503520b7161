"""Make stored predictions again, each by the version that it names, and compare the bits."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.entities.predictions import PredictionColumns, Role
from domain.entities.trips import TripColumns
from domain.errors import ModelRefused, UnknownVersion
from domain.features import CityClock
from domain.ports import ModelLibrary, ModelRegistry, ScoringModel
from domain.services.score_trips import score_trips

LISTED = 20


class Stored(Protocol):
    """Predictions that one version made in one role, and the trips as it saw them."""

    @property
    def trips(self) -> TripColumns:
        """The inputs."""
        ...

    @property
    def predictions(self) -> PredictionColumns:
        """What is stored, row by row."""
        ...

    @property
    def model_version(self) -> int:
        """The version that made them."""
        ...

    @property
    def role(self) -> Role:
        """In which role."""
        ...

    @property
    def source(self) -> str:
        """Who asked: the stream, or the API's callers, whose trips' ids are those of the predictions."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A prediction that could not be made again."""

    trip_id: str
    model_version: int
    role: str
    source: str
    stored_seconds: float
    made_seconds: float


@dataclass(slots=True)
class Verification:
    """The result. `different` counts rows whose duration or interval has other bits; the first few are in `differences`.

    `unverifiable`: rows per version that this program cannot score with, and why.
    """

    checked: int = 0
    checked_by_role: dict[str, int] = field(default_factory=dict)
    checked_by_source: dict[str, int] = field(default_factory=dict)
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    unverifiable: dict[int, str] = field(default_factory=dict)
    unverifiable_rows: int = 0

    @property
    def ok(self) -> bool:
        """Every row was made again, to the bit."""
        return not self.different and not self.unverifiable_rows


@dataclass(frozen=True, slots=True)
class Verify:
    """See the module. Versions that are not on this machine are fetched, and pass the same checks as a champion."""

    registry: ModelRegistry
    library: ModelLibrary
    clock: CityClock

    async def __call__(self, stored: AsyncIterator[Stored], progress: Callable[[int], None]) -> Verification:
        """Check every chunk. Raises RegistryUnreachable when a version must be fetched and cannot."""
        result, models = Verification(), dict[int, ScoringModel]()
        async for chunk in stored:
            model = self._model(chunk.model_version, models, result)
            if model is None:
                result.unverifiable_rows += len(chunk.trips)
            else:
                _compare(chunk, score_trips(chunk.trips, model, self.clock), result)
            progress(len(chunk.trips))
        return result

    def _model(self, version: int, models: dict[int, ScoringModel], result: Verification) -> ScoringModel | None:
        if version not in models and version not in result.unverifiable:
            try:
                models[version] = self.library.admit(self.registry.get(version), self.registry.download)
            except (ModelRefused, UnknownVersion) as error:
                result.unverifiable[version] = str(error)
        return models.get(version)


def _compare(chunk: Stored, made: PredictionColumns, result: Verification) -> None:
    stored = chunk.predictions
    differs = _bits(stored.duration_seconds) != _bits(made.duration_seconds)
    differs |= _bits(stored.lower_seconds) != _bits(made.lower_seconds)
    differs |= _bits(stored.upper_seconds) != _bits(made.upper_seconds)
    result.checked += len(differs)
    for counts, name in ((result.checked_by_role, chunk.role), (result.checked_by_source, chunk.source)):
        counts[name] = counts.get(name, 0) + len(differs)
    result.different += int(differs.sum())
    for row in np.flatnonzero(differs)[: LISTED - len(result.differences)]:
        seconds = float(stored.duration_seconds[row]), float(made.duration_seconds[row])
        difference = Difference(stored.trip_id[row], chunk.model_version, chunk.role, chunk.source, *seconds)
        result.differences.append(difference)


def _bits(seconds: NDArray[np.float32]) -> NDArray[np.uint32]:
    return seconds.view(np.uint32)
