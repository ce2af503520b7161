"""Predictions for trips that lack theirs: the published ones where they are found, else new ones by the neighbours' version."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.entities.predictions import PredictionColumns
from domain.entities.repairs import Answers, StoredTrips
from domain.entities.streams import ModelStamp
from domain.features import CityClock
from domain.ports import ScoringModel
from domain.services.score_trips import score_trips
from schemas.events import TripPredicted
from stream.published import Published
from stream.repair_ports import NamedModels, RepairStore

Said = Mapping[int, TripPredicted]  # by offset of the trip's record


@dataclass(slots=True)
class Answered:
    """`without`: offsets of trips that nobody can score. For `unchecked` see `PartitionRepair`."""

    answers: list[Answers] = field(default_factory=list)
    unchecked: int = 0
    without: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Remake:
    """Raises BrokerUnreachable, DatabaseUnreachable."""

    published: Published
    store: RepairStore
    models: NamedModels
    clock: CityClock
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def __call__(self, source_id: int, partition: int, stored: StoredTrips, since: datetime | None) -> Answered:
        """An answer for each of these trips of one partition, in any order; published ones are not older than `since`."""
        answered = Answered()
        offsets: list[int] = stored.records.offset.tolist()
        said = await self.published.predictions(
            partition, dict(zip(offsets, stored.trips.trip_id.tolist(), strict=True)), since
        )
        good = await self._put_back(stored, said, answered)
        rest = np.array([offset not in good for offset in offsets], dtype=np.bool_)
        if rest.any():
            missing = StoredTrips(stored.trips.take(rest), stored.records.take(rest))
            await self._score(source_id, partition, missing, {offset: said[offset] for offset in good}, answered)
        return answered

    async def _put_back(self, stored: StoredTrips, said: Said, answered: Answered) -> set[int]:
        """The offsets whose published prediction is its version's own, to the bit, or cannot be compared."""
        good: set[int] = set()
        groups: dict[tuple[int, str, datetime], list[int]] = defaultdict(list)
        for row, offset in enumerate(stored.records.offset.tolist()):
            if offset in said:
                groups[said[offset].model_version, said[offset].feature_schema, said[offset].scored_at].append(row)
        for (version, schema, scored_at), rows in groups.items():
            each = StoredTrips(stored.trips.take(np.array(rows)), stored.records.take(np.array(rows)))
            predictions = _columns([said[offset] for offset in each.records.offset.tolist()])
            model = await self.models.version(version)
            same = np.ones(len(rows), np.bool_) if model is None else self._same(each, predictions, model)
            answered.unchecked += 0 if model is not None else len(rows)
            stamp = ModelStamp(version, schema)
            answered.answers.append(Answers(predictions.take(same), each.records.take(same), stamp, scored_at, original=True))
            good.update(each.records.offset[same].tolist())
        return good

    def _same(self, stored: StoredTrips, predictions: PredictionColumns, model: ScoringModel) -> NDArray[np.bool_]:
        made = score_trips(stored.trips, model, self.clock)
        same = predictions.duration_seconds.view(np.uint32) == made.duration_seconds.view(np.uint32)
        same &= predictions.lower_seconds.view(np.uint32) == made.lower_seconds.view(np.uint32)
        same &= predictions.upper_seconds.view(np.uint32) == made.upper_seconds.view(np.uint32)
        return same

    async def _score(self, source_id: int, partition: int, stored: StoredTrips, said: Said, answered: Answered) -> None:
        offsets: list[int] = stored.records.offset.tolist()
        version_of = await self._versions(source_id, partition, offsets, said)
        for version in sorted(set(version_of.values())):
            mine = np.array([version_of.get(offset) == version for offset in offsets], dtype=np.bool_)
            model = await self.models.version(version)
            if model is None:
                answered.without += stored.records.offset[mine].tolist()
                continue
            predictions, stamp = (
                score_trips(stored.trips.take(mine), model, self.clock),
                ModelStamp(version, model.feature_schema),
            )
            answered.answers.append(Answers(predictions, stored.records.take(mine), stamp, self.now(), original=False))
        answered.without += [offset for offset in offsets if offset not in version_of]

    async def _versions(self, source_id: int, partition: int, offsets: list[int], said: Said) -> dict[int, int]:
        """By offset the version of the nearest prediction below it, stored or just found, else of the nearest above."""
        stored = await self.store.neighbours(source_id, partition, offsets)
        versions: dict[int, int] = {}
        for offset in offsets:
            known = {at: each.model_version for at, each in said.items()}
            if offset in stored:
                known[stored[offset].offset] = stored[offset].stamp.version
            if known:
                nearest = max((at for at in known if at < offset), default=min(known))
                versions[offset] = known[nearest]
        return versions


def _columns(said: list[TripPredicted]) -> PredictionColumns:
    return PredictionColumns(
        np.array([each.trip_id for each in said], dtype=object),
        *(
            np.array([getattr(each, name) for each in said], dtype=np.float32)
            for name in ("duration_seconds", "lower_seconds", "upper_seconds")
        ),
    )
