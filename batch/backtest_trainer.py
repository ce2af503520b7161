"""Trains for a backtest as the trainer does: the same evidence, gates and recipe, and the graph that a worker would score."""

from dataclasses import dataclass, field

import numpy as np

from batch.backtest import Training, Version
from batch.build import BuildModel, Judged, Rival, Trusted, set_aside
from batch.evidence import evidence_of
from domain.data_gates import Evidence
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import ModelRefused, NotEnoughTrips
from domain.features import FEATURES
from domain.loop.decisions import Request


@dataclass(slots=True)
class TrainOnHistory:
    """Implements `batch.backtest.Train` over trips in order of pickup, row by row with their ends.

    What the service keeps in its database is kept here: the trips set aside, and up to when each version has learnt.
    """

    build: BuildModel
    trips: TripColumns
    completions: CompletionColumns
    _trusted: Trusted | None = None
    _known_until: dict[int, np.datetime64] = field(default_factory=dict)

    def first(self, until: np.datetime64) -> Version:
        """Version 1, of all trips that began before. Raises NotEnoughTrips, ModelRefused."""
        before = self.trips.pickup_at < until
        judged = self.build(Evidence(self.trips.take(before), self.completions.take(before)))
        if judged.refusal is not None:
            raise ModelRefused(f"the first model is not fit to start with: {judged.refusal}")
        if judged.labelled is not None:
            self._trusted = set_aside(judged.labelled)
        return self._version(1, judged)

    def __call__(self, number: int, request: Request, champion: Version) -> Training:
        """What `request.body` asks for, as of then."""
        known_until = self._known_until[champion.number]
        try:
            judged = self.build(self._evidence(request, known_until), Rival(champion.score, known_until), self._trusted)
        except (NotEnoughTrips, ModelRefused) as error:
            return Training(None, str(error))
        if judged.refusal is not None or judged.built is None or judged.labelled is None:
            return Training(None, judged.refusal or "nothing was trained")
        best = judged.built.contenders[0]
        rows = f"{len(judged.labelled.seconds):,} trips"
        words = f"{best.candidate.name} of {rows}: RMSE {best.time.rmse_minutes:.2f} min on the newest, unseen"
        return Training(self._version(number, judged), words)

    def _evidence(self, request: Request, known_until: np.datetime64) -> Evidence:
        body = request.body
        since_break, exclude = body.get("since_break"), body.get("exclude")
        return evidence_of(
            self.trips,
            self.completions,
            as_of=_time(body["as_of"]),
            since_break=None if since_break is None else _time(since_break),
            known_until=known_until,
            exclude=[(_time(first), _time(until)) for first, until in exclude] if isinstance(exclude, list) else (),
            maturity_minutes=self.build.limits.maturity_minutes,
        )

    def _version(self, number: int, judged: Judged) -> Version:
        if judged.built is None or judged.labelled is None:
            raise ModelRefused("nothing was trained")
        package = judged.built.package
        self._known_until[number] = judged.labelled.trips.pickup_at.max()
        score = self.build.open_graph(package.graph, len(FEATURES))
        return Version(number, package.kind, score, package.intervals, judged.built.baseline)


def _time(minute: object) -> np.datetime64:
    """Of minutes since 1970, as the loop writes them."""
    if not isinstance(minute, int):
        raise TypeError(f"{minute!r} is no minute")
    return np.datetime64(minute, "m").astype("datetime64[us]")
