"""Put training together, apart from `bootstrap`: it loads MLflow, scikit-learn and XGBoost, which cost seconds and memory."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from adapters.files.policies import read_policy
from adapters.mlflow.experiments import Experiments
from adapters.onnx.model import Graph
from adapters.postgres.connection.locks import alone
from adapters.postgres.history.trips import History
from adapters.postgres.loop.training_records import TrainingRecords
from adapters.postgres.tables.lifecycle import Journal
from batch import bootstrap, dask_bootstrap, ports
from batch.build import BuildModel
from batch.catalogue import chosen
from batch.settings import BatchSettings
from batch.train import TrainingReport, TrainingRequest, TrainModels


async def train(
    settings: BatchSettings, request: TrainingRequest, progress: Callable[[str], None], dask: str | None = None
) -> TrainingReport | None:
    """Train, register and, if asked, promote; one training and one role change at a time, whatever machine they run on.

    `dask`: address of the scheduler of a cluster that trains; without it, this process does.
    """
    build = model_builder(settings, progress, thorough=request.subject is None and dask is None)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(bootstrap.database(settings))
        await stack.enter_async_context(alone(pool, bootstrap.TRAININGS))
        history: ports.History = History(pool)
        if dask is not None:
            able = dask_bootstrap.able(build.candidates, settings.train_candidates)
            where = dask_bootstrap.ground(dask, settings, request, build.limits.maturity_minutes, progress)
            build = replace(build, candidates=able, ground=await stack.enter_async_context(where))
            history = dask_bootstrap.Sample(pool, dask_bootstrap.MOST_ROWS)

        async def promote(version: int, actor: str, reason: str) -> object:
            async with alone(pool, bootstrap.ROLE_CHANGES):
                return await bootstrap.promotion(settings, pool)(version, actor, reason)

        training = TrainModels(
            history=history,
            registry=bootstrap.registry_of(settings),
            library=bootstrap.library_of(settings),
            experiments=Experiments(settings.mlflow, settings.model, settings.mlflow_seconds),
            records=TrainingRecords(pool),
            journal=Journal(pool),
            announce=bootstrap.announcing(settings),
            promote=promote,
            build=build,
            clock=bootstrap.SystemClock(),
        )
        return await training(request)


def model_builder(settings: BatchSettings, progress: Callable[[str], None], *, thorough: bool) -> BuildModel:
    """How models are built here, and what they must pass. Raises InvalidInput for a policy that cannot be used."""
    return BuildModel(
        candidates=chosen(settings.train_candidates),
        open_graph=Graph.open,
        area=settings.rules().area,
        clock=settings.clock(),
        limits=read_policy(settings.policy).gates,
        threads=settings.train_threads,
        progress=progress,
        thorough=thorough,
    )
