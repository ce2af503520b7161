"""Put the model gate together, without Kafka, PostgreSQL or MLflow."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from adapters.files.baselines import read_baseline, write_baseline
from adapters.onnx.model import Graph
from batch.build import BuildModel
from batch.catalogue import chosen
from batch.gate import ExamineProgram, PinnedTrips, Verdict
from batch.load import TripSource
from batch.settings import BatchSettings
from domain.errors import InvalidInput, ModelRefused
from domain.gates import GateLimits
from domain.model_gate import Baseline, ModelLimits, Pinned

Progress = Callable[[str], None]


def baseline_at(path: Path) -> Baseline | None:
    """The recorded baseline, or None where nothing was recorded. Raises InvalidInput for a file that is none."""
    return read_baseline(path) if path.exists() else None


def judge(
    settings: BatchSettings, source: TripSource, pinned: Pinned, against: Baseline | ModelLimits, progress: Progress
) -> Verdict:
    """Train and examine, against a baseline, or against limits alone. Raises InvalidInput."""
    build = BuildModel(
        candidates=chosen(pinned.candidate),
        open_graph=Graph.open,
        area=settings.rules().area,
        clock=settings.clock(),
        limits=GateLimits(),
        threads=settings.train_threads,
        progress=progress,
    )
    progress("making the pinned trips")
    trips = PinnedTrips.read(source, datetime.now(UTC) if pinned.file else pinned.until)
    return ExamineProgram(build, progress)(trips, pinned, against)


def record(path: Path, verdict: Verdict, pinned: Pinned, limits: ModelLimits, reason: str) -> None:
    """Write the baseline anew. Raises ModelRefused when the model would not do even by itself: nothing is written then."""
    if verdict.measured is None or verdict.refusal is not None:
        raise ModelRefused(f"nothing was recorded: {verdict.refusal}")
    now = datetime.now(UTC).replace(microsecond=0)
    write_baseline(path, Baseline(replace(pinned), limits, now, version("tripcast"), reason, verdict.measured))


def check_source(pinned: Pinned, file: Path | None) -> None:
    """The trips that are given are the ones that the baseline is about. Raises InvalidInput."""
    if pinned.file and file is None:
        raise InvalidInput(f"the baseline was recorded on {pinned.file}; give it with --trips")
    if file is not None and pinned.file != file.name:
        raise InvalidInput(f"the baseline was recorded on {pinned.file or 'the simulated city'}, not on {file.name}")
