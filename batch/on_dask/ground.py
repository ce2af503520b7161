"""Trains on a Dask cluster whose workers read the trips: this process holds a sample of them, for gates and examination."""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from dask import array, delayed
from distributed.client import Client, Future
from xgboost import dask as xgboost_on_dask

from batch.candidate import Boosting, Candidate, Fitted
from batch.labelled import LabelledTrips
from batch.on_dask import parts
from batch.on_dask.cluster import workers_of
from batch.on_dask.parts import Facts, Read, Rules
from batch.recipe import Break, Lesson, Pickups, Recipe, recipe_by_pickup
from domain.data_gates import Evidence
from domain.entities.trainings import TrainedFrom
from domain.entities.trips import Times
from domain.errors import InvalidInput, NotEnoughTrips, PartFailed, TripcastError
from domain.features import FEATURES, Matrix
from domain.split import instant

Range = tuple[datetime, datetime]


@dataclass(slots=True)
class OnDask:
    """See the module. Implements `batch.ground.Ground`, for one training.

    `read` runs on the workers. `count`: how many trips are stored, of which those that this process holds may be a sample.
    `rows_per_part`: rows of one range at most, on average; a range is a worker's smallest piece of memory and of reading.
    """

    client: Client
    read: Read
    rules: Rules
    count: Callable[[], int]
    progress: Callable[[str], None]
    rows_per_part: int = 250_000
    least_parts: int = 8
    _parts: list[Future] = field(default_factory=list)
    _facts: list[Facts] = field(default_factory=list)

    def divide(self, evidence: Evidence, labelled: LabelledTrips, change: Break | None) -> Recipe:
        """Let the workers read, and divide by pickups alone. Raises InvalidInput for a break."""
        if change is not None:
            raise InvalidInput("--dask knows no --since-break: what is learnt from after a break fits into one process")
        ranges = ranges_of(labelled.trips.pickup_at, max(self.least_parts, math.ceil(self.count() / self.rows_per_part)))
        rules = replace(self.rules, as_of=evidence.as_of)
        self.progress(f"{len(workers_of(self.client))} Dask workers read the stored trips")
        with failing("reading"):
            self._parts = [
                self.client.submit(parts.read_part, self.read, *bounds, rules, pure=False, **self._place(number))
                for number, bounds in enumerate(ranges)
            ]
            self._facts = self.client.gather([self.client.submit(parts.facts_of, each) for each in self._parts])
        return recipe_by_pickup(labelled.trips.pickup_at, labelled.seconds, evidence.known_until)

    def teach(self, candidate: Candidate, lesson: Lesson, features: Matrix, threads: int) -> Fitted:  # noqa: ARG002 - the port
        """Train on what the workers hold. Raises InvalidInput where a candidate cannot, PartFailed where the cluster fails."""
        if not isinstance(candidate, Boosting):
            raise InvalidInput(f"{candidate.name} cannot be trained on Dask; candidates of XGBoost can")
        with failing(f"training {candidate.name}"), self.client.as_current():
            return candidate.fitted(self._boosted(candidate.regressor(), lesson.pickups or Pickups()))

    def identity(self, labelled: LabelledTrips) -> TrainedFrom:  # noqa: ARG002 - the port
        """Of all trips that the workers hold; the hash is that of their ranges' hashes, in order of pickup."""
        found = [each for each in self._facts if each.rows]
        firsts, lasts = [each.first for each in found if each.first], [each.last for each in found if each.last]
        digest = hashlib.sha256("".join(each.sha256 for each in found).encode()).hexdigest()
        return TrainedFrom(sum(each.rows for each in found), instant(min(firsts)), instant(max(lasts)), digest)

    def _boosted(self, model: Any, pickups: Pickups) -> Any:  # noqa: ANN401 - XGBoost is untyped
        """The model, trained on a lesson: every worker works on its own rows, histograms are summed over all of them."""
        lessons = [self.client.submit(parts.lesson_of, part, pickups) for part in self._parts]
        rows = self.client.gather([self.client.submit(parts.rows_of, each) for each in lessons])
        kept = [(each, count) for each, count in zip(lessons, rows, strict=True) if count]
        if not kept:
            raise NotEnoughTrips("no trip that the Dask workers read is fit for training")
        inputs = _stacked(parts.inputs_of, kept, len(FEATURES))
        data = xgboost_on_dask.DaskQuantileDMatrix(
            self.client, inputs, _stacked(parts.durations_of, kept), max_bin=model.max_bin
        )
        rounds = model.get_num_boosting_rounds()
        booster = xgboost_on_dask.train(self.client, model.get_xgb_params(), data, num_boost_round=rounds)["booster"]
        model.load_model(booster.save_raw("ubj"))
        return model

    def _place(self, number: int) -> dict[str, Any]:
        """Ranges go round the workers, so that all have as much; another worker steps in for one that died."""
        workers = workers_of(self.client)
        return {"workers": [workers[number % len(workers)]], "allow_other_workers": True}


def ranges_of(pickup_at: Times, count: int) -> list[Range]:
    """So many ranges [since, until) of about as many trips each, by the pickups of all or of a sample, in order, shape (n,)."""
    places = np.linspace(0, len(pickup_at), count + 1).astype(np.intp)[1:-1]
    inner = np.unique(pickup_at[places])
    edges = [pickup_at[0], *inner[inner > pickup_at[0]], pickup_at[-1] + np.timedelta64(1, "us")]
    return [(instant(since), instant(until)) for since, until in itertools.pairwise(edges)]


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Whatever goes wrong on the cluster: an error of ours as it is, anything else as PartFailed."""
    try:
        yield
    except TripcastError:
        raise
    except Exception as error:
        words = (str(error).strip().splitlines() or [""])[0]
        raise PartFailed(f"{what} on Dask failed: {type(error).__name__}: {words}") from error


def _stacked(part: Callable[..., Any], lessons: Sequence[tuple[Future, int]], *width: int) -> Any:  # noqa: ANN401 - dask is untyped
    """One array over the workers, without moving a row."""
    blocks = [array.from_delayed(delayed(part)(each), (rows, *width), np.float32) for each, rows in lessons]
    return array.concatenate(blocks)
