"""Count trainings: how many, how long, how they ended, and which gates were against them."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from batch.answer import RunTraining
from batch.trainer_metrics import FAILED, REFUSED, SUCCEEDED, TrainerMetrics
from batch.training_process import TrainingOrder
from domain.errors import ModelRefused, TripcastError

RefusedBy = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class CountedTraining:
    """`run` and what it raises; `refused_by(subject)` names the gates that were against the subject's newest training."""

    run: RunTraining
    metrics: TrainerMetrics
    refused_by: RefusedBy

    async def __call__(self, order: TrainingOrder) -> None:
        """Train. Cancelled trainings are not counted: the next trainer completes them."""
        began = time.monotonic()
        with self.metrics.running.track_inprogress():
            try:
                await self.run(order)
            except TripcastError as error:
                refused = isinstance(error, ModelRefused)
                self.metrics.trained(time.monotonic() - began, REFUSED if refused else FAILED)
                if refused and order.subject:
                    await self._name_gates(order.subject)
                raise
        self.metrics.trained(time.monotonic() - began, SUCCEEDED)

    async def _name_gates(self, subject: str) -> None:
        try:
            self.metrics.refused(await self.refused_by(subject))
        except TripcastError:  # a count that is missing must not hide why the training was refused
            return
