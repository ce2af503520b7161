"""Put training together, apart from `bootstrap`: it loads MLflow, scikit-learn and XGBoost, which cost seconds and memory."""

from collections.abc import Callable

from adapters.mlflow.experiments import Experiments
from adapters.onnx.model import Graph
from adapters.postgres.history import History
from adapters.postgres.lifecycle import Journal
from adapters.postgres.locks import alone
from adapters.postgres.training_runs import TrainingRuns
from batch import bootstrap
from batch.candidate import discover
from batch.settings import BatchSettings
from batch.train import TrainingReport, TrainingRequest, TrainModels


async def train(settings: BatchSettings, request: TrainingRequest, progress: Callable[[str], None]) -> TrainingReport:
    """Train, register and, if asked, promote; one training and one role change at a time, whatever machine they run on."""
    async with bootstrap.database(settings) as pool, alone(pool, bootstrap.TRAININGS):

        async def promote(version: int, actor: str, reason: str) -> object:
            async with alone(pool, bootstrap.ROLE_CHANGES):
                return await bootstrap.promotion(settings, pool)(version, actor, reason)

        training = TrainModels(
            history=History(pool),
            registry=bootstrap.registry_of(settings),
            experiments=Experiments(settings.mlflow, settings.model, settings.mlflow_seconds),
            records=TrainingRuns(pool),
            journal=Journal(pool),
            announce=bootstrap.announcing(settings),
            promote=promote,
            open_graph=Graph.open,
            candidates=discover(),
            area=settings.rules().area,
            city=settings.clock(),
            clock=bootstrap.SystemClock(),
            threads=settings.train_threads,
            progress=progress,
        )
        return await training(request)
