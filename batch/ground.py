"""Where models are trained: in this process, on all rows at once, or in parts by a cluster (`batch.on_dask`)."""

from typing import Protocol

from batch.candidate import Candidate, Fitted
from batch.labelled import LabelledTrips
from batch.recipe import Break, Lesson, Recipe, recipe_of
from domain.data_gates import Evidence
from domain.entities.trainings import TrainedFrom
from domain.features import Matrix


class Ground(Protocol):
    """Trains on lessons. `labelled` are the trips that this process holds: all of them, or a sample."""

    def divide(self, evidence: Evidence, labelled: LabelledTrips, change: Break | None) -> Recipe:
        """Which of the trips teach and which examine."""
        ...

    def teach(self, candidate: Candidate, lesson: Lesson, features: Matrix, threads: int) -> Fitted:
        """A model that has learnt a lesson; `features` are those of all trips that this process holds, shape (n, f)."""
        ...

    def identity(self, labelled: LabelledTrips) -> TrainedFrom:
        """What names all trips, for the record."""
        ...


class Here:
    """Trains in this process."""

    def divide(self, evidence: Evidence, labelled: LabelledTrips, change: Break | None) -> Recipe:
        """See `recipe_of`."""
        pickup_at = labelled.trips.pickup_at
        return recipe_of(pickup_at, labelled.seconds, change=change, known_until=evidence.known_until)

    def teach(self, candidate: Candidate, lesson: Lesson, features: Matrix, threads: int) -> Fitted:
        """By the candidate itself."""
        return candidate.fit(features[lesson.rows], lesson.seconds, threads, lesson.weights)

    def identity(self, labelled: LabelledTrips) -> TrainedFrom:
        """Their number, span and hash."""
        return labelled.identity()


HERE = Here()
