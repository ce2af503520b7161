"""Predict the trips of requests: those of one turn of the event loop together, a batch as a whole, each with a row in the log.

A call of the features and of the graph costs nearly the same for one trip as for fifty, and the bits of a row do not depend
on the rows beside it: so requests that arrive together are scored together, and nobody waits for company.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from api.columns import columns_of
from api.follower import Champion
from api.identities import Identities
from api.judgement import Sentences
from api.log_queue import LogQueue
from api.problems import MOST_ERRORS, ApiProblem, invalid
from domain.entities.models import ModelVersion
from domain.entities.predictions import PredictionColumns
from domain.entities.rejections import Reason
from domain.entities.served import ServedPredictions
from domain.entities.trips import TIME, TripColumns
from domain.features import CityClock
from domain.intervals import NOMINAL_COVERAGE
from domain.ports import ScoringModel
from domain.quality import TripRules, Verdicts
from domain.services.score_trips import score_trips
from schemas.http.predictions import BatchPrediction, Interval, ModelName, PredictedTrip, Prediction, PredictionRequest
from schemas.http.problems import FieldProblem

INLINE_ROWS = 64  # a larger batch goes into a thread, so that the loop turns meanwhile
BATCH_THREADS = 2

Count = Callable[[int], None]


class Serving(Champion, Protocol):
    """A champion that also says which version it is, in one moment."""

    def serving(self) -> tuple[ModelVersion, ScoringModel]:
        """The version that scores now, and its model. Raises NoChampion."""
        ...


class Asked(NamedTuple):
    """A request that waits for the end of this turn."""

    request: PredictionRequest
    key_id: str | None
    answer: "asyncio.Future[Prediction]"


class Scored(NamedTuple):
    """What was predicted for n trips: ids as text, and the rows for the log."""

    model: ModelName
    ids: list[str]
    rows: ServedPredictions


@dataclass(slots=True)
class Scoring:
    """From requests to predictions; safe to call from several threads."""

    champion: Serving
    model_name: str
    rules: TripRules
    clock: CityClock
    ids: Identities = field(default_factory=Identities)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _named: tuple[ModelVersion, ModelName] | None = None

    def judge(self, requests: Sequence[PredictionRequest]) -> tuple[TripColumns, NDArray[np.void], Verdicts]:
        """The trips, their ids, and what is wrong with each."""
        raw, texts = self.ids.new(len(requests))
        trips = columns_of(requests, texts)
        return trips, raw, self.rules.judge_started(trips, self.now())

    def score(self, trips: TripColumns, raw: NDArray[np.void], key_ids: Sequence[str | None]) -> Scored:
        """Score trips that are judged well, with one version. Raises NoChampion."""
        version, model = self.champion.serving()
        predictions = score_trips(trips, model, self.clock)
        rows = _rows(trips, predictions, raw, key_ids=key_ids, model=model, served_at=self.now())
        return Scored(self._name(version), trips.trip_id.tolist(), rows)

    def _name(self, version: ModelVersion) -> ModelName:
        named = self._named
        if named is None or named[0] is not version:
            name = ModelName(name=self.model_name, kind=version.kind, version=version.version, run_id=version.run_id)
            named = self._named = version, name
        return named[1]


class Predictor:
    """Answers requests, each logged before it is answered."""

    def __init__(self, scoring: Scoring, log: LogQueue, threads: Executor, most: int, count: Count) -> None:
        self._scoring, self._log, self._threads, self._most, self._count = scoring, log, threads, most, count
        self._sentences = Sentences(scoring.rules)
        self._asked: list[Asked] = []

    def ask(self, request: PredictionRequest, key_id: str | None) -> "asyncio.Future[Prediction]":
        """The prediction, a turn of the loop from now. Its errors: ApiProblem, NoChampion."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._answer_all)
        answer: asyncio.Future[Prediction] = loop.create_future()
        self._asked.append(Asked(request, key_id, answer))
        return answer

    async def batch(self, requests: Sequence[PredictionRequest], key_id: str | None) -> BatchPrediction:
        """All of them, or ApiProblem, NoChampion."""
        if len(requests) > self._most:
            detail = f"`/trips` may have {self._most} items at most."
            raise invalid(detail, [FieldProblem(pointer="/trips", reason=Reason.TOO_LARGE, detail=detail)])
        self._log.check_room(len(requests))
        if len(requests) <= INLINE_ROWS:
            answer, rows = self._score_batch(requests, key_id)
        else:
            answer, rows = await asyncio.get_running_loop().run_in_executor(self._threads, self._score_batch, requests, key_id)
        self._log.add(rows)
        self._count(len(rows))
        return answer

    def _answer_all(self) -> None:
        asked, self._asked = self._asked, []
        try:
            self._answer(asked)
        except Exception as error:  # noqa: BLE001 - each of those who asked is told
            for each in asked:
                if not each.answer.done():
                    each.answer.set_exception(error)

    def _answer(self, asked: list[Asked]) -> None:
        self._log.check_room(len(asked))
        trips, raw, verdicts = self._scoring.judge([each.request for each in asked])
        if verdicts.any():
            asked, kept = self._refuse(asked, verdicts)
            trips, raw = trips.take(kept), raw[kept]
        if not asked:
            return
        scored = self._scoring.score(trips, raw, [each.key_id for each in asked])
        self._log.add(scored.rows)
        self._count(len(asked))
        for each, (prediction_id, seconds, interval) in zip(asked, _told(scored), strict=True):
            if not each.answer.done():
                each.answer.set_result(
                    Prediction(
                        prediction_id=prediction_id,
                        duration_seconds=seconds,
                        duration_minutes=seconds / 60,
                        interval=interval,
                        model=scored.model,
                    )
                )

    def _refuse(self, asked: list[Asked], verdicts: Verdicts) -> tuple[list[Asked], NDArray[np.intp]]:
        """Tell those who are refused; returns the others, and their rows."""
        kept = []
        for row, (each, reason) in enumerate(zip(asked, verdicts, strict=True)):
            if reason is None:
                kept.append(row)
            elif not each.answer.done():
                found = self._sentences.of(reason, each.request)
                each.answer.set_exception(invalid(found.detail, [found]))
        return [asked[row] for row in kept], np.array(kept, dtype=np.intp)

    def _score_batch(
        self, requests: Sequence[PredictionRequest], key_id: str | None
    ) -> tuple[BatchPrediction, ServedPredictions]:
        trips, raw, verdicts = self._scoring.judge(requests)
        if verdicts.any():
            raise self._refused_batch(requests, verdicts)
        scored = self._scoring.score(trips, raw, [key_id] * len(requests))
        predictions = [
            PredictedTrip(prediction_id=each, duration_seconds=seconds, duration_minutes=seconds / 60, interval=interval)
            for each, seconds, interval in _told(scored)
        ]
        return BatchPrediction(model=scored.model, predictions=predictions), scored.rows

    def _refused_batch(self, requests: Sequence[PredictionRequest], verdicts: Verdicts) -> ApiProblem:
        refused: list[tuple[int, Reason]] = [(row, reason) for row, reason in enumerate(verdicts) if reason is not None]
        errors: list[FieldProblem] = [
            self._sentences.of(reason, requests[row], f"/trips/{row}") for row, reason in refused[:MOST_ERRORS]
        ]
        one = f"{len(refused)} of {len(requests)} trips cannot be predicted, so none is. Trip {refused[0][0]}: "
        return invalid(one + errors[0].detail, errors)


def _told(scored: Scored) -> Iterator[tuple[str, float, Interval]]:
    """Of each trip its id, its duration in seconds and the interval."""
    rows = scored.rows
    bounds = zip(rows.lower_seconds.tolist(), rows.upper_seconds.tolist(), strict=True)
    intervals = [Interval(lower_seconds=lower, upper_seconds=upper, coverage=NOMINAL_COVERAGE) for lower, upper in bounds]
    return zip(scored.ids, rows.duration_seconds.tolist(), intervals, strict=True)


def _rows(
    trips: TripColumns,
    predictions: PredictionColumns,
    raw: NDArray[np.void],
    *,
    key_ids: Sequence[str | None],
    model: ScoringModel,
    served_at: datetime,
) -> ServedPredictions:
    count = len(trips)
    return ServedPredictions(
        prediction_id=raw,
        key_id=np.array(key_ids, dtype=object),
        vendor_id=trips.vendor_id,
        passenger_count=trips.passenger_count,
        pickup_at=trips.pickup_at,
        pickup_latitude=trips.pickup_latitude,
        pickup_longitude=trips.pickup_longitude,
        dropoff_latitude=trips.dropoff_latitude,
        dropoff_longitude=trips.dropoff_longitude,
        duration_seconds=predictions.duration_seconds,
        lower_seconds=predictions.lower_seconds,
        upper_seconds=predictions.upper_seconds,
        model_version=np.full(count, model.version, dtype=np.int32),
        feature_schema=np.full(count, model.feature_schema, dtype=object),
        served_at=np.full(count, np.datetime64(served_at.replace(tzinfo=None), "us"), dtype=TIME),
    )
