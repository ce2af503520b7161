"""After the timing: the answers of both sides are equal to the bit, and every prediction that was answered is a row."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable

import msgspec
import numpy as np

from benchmarks.api.load import Answers
from benchmarks.world import World
from schemas.http.predictions import BatchPrediction, PredictedTrip, Prediction

FLUSHED_SECONDS = 30.0
ROWS = "select prediction_id, duration_seconds from served_predictions"


def our_predictions(every: Iterable[Answers]) -> dict[int, list[PredictedTrip]]:
    """Everything that our API answered, by the trip's position."""
    decode, found = msgspec.json.Decoder(Prediction).decode, dict[int, list[PredictedTrip]]()
    for answers in every:
        for asked, body in zip(answers.asked, answers.bodies, strict=True):
            found.setdefault(asked, []).append(decode(body))
    return found


def our_batches(every: Iterable[Answers]) -> list[PredictedTrip]:
    """Everything that our batch route answered."""
    decode = msgspec.json.Decoder(BatchPrediction).decode
    return [each for answers in every for body in answers.bodies for each in decode(body).predictions]


def same_bits(ours: dict[int, list[PredictedTrip]], theirs: Iterable[Answers]) -> int:
    """How many of the others' answers were compared. Raises when one trip has two durations."""
    mine = {}
    for asked, predictions in ours.items():
        mine[asked] = np.float32(predictions[0].duration_seconds)
        if any(np.float32(each.duration_seconds) != mine[asked] for each in predictions):
            raise RuntimeError(f"our API gave trip {asked} two durations")
    compared = 0
    for answers in theirs:
        for asked, body in zip(answers.asked, answers.bodies, strict=True):
            if asked in mine:
                compared += 1
                if np.float32(_seconds(body)) != mine[asked]:
                    raise RuntimeError(f"trip {asked}: another server answers {body!r}, our API {mine[asked]} seconds")
    return compared


def every_answer_is_a_row(world: World, predictions: Iterable[PredictedTrip]) -> int:
    """How many rows there are, one for each answer. Waits until the log is written; raises when one is missing or differs."""
    answered = {uuid.UUID(each.prediction_id): np.float32(each.duration_seconds) for each in predictions}
    deadline = time.monotonic() + FLUSHED_SECONDS
    while asyncio.run(world.fetch("select count(*) from served_predictions"))[0][0] < len(answered):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(answered)} predictions were answered, and fewer rows are stored")
        time.sleep(0.2)
    stored = {row[0]: np.float32(row[1]) for row in asyncio.run(world.fetch(ROWS))}
    wrong = [str(key) for key, seconds in answered.items() if stored.get(key) != seconds]
    if wrong:
        raise RuntimeError(f"{len(wrong)} answered predictions are not stored as answered, for example {wrong[0]}")
    return len(answered)


def _seconds(body: bytes) -> float:
    """BentoML answers with a list, MLServer with tensors, MLflow's pyfunc flavour with a list, its ONNX flavour by output."""
    found = json.loads(body)
    if isinstance(found, list):
        return float(found[0])
    if "outputs" in found:
        return float(found["outputs"][0]["data"][0])
    predictions = found["predictions"]
    return float((predictions["seconds"] if isinstance(predictions, dict) else predictions)[0])
