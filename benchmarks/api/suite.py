"""The API part of `make bench`: our API and the servers of others in turn, at several numbers of connections; then batches.

MLflow serves the champion's graph in three ways. In its pyfunc flavour with a signature: that is the comparison, since it is
asked the same question as our API and checks the fields as ours does. Without the signature that MLflow asks for. And as our
trainer registered it, in the ONNX flavour, where the caller makes the features: the least that MLflow can do.

MLServer serves the first of these. It batches what comes by the Open Inference Protocol; for a caller who is alone, MLflow's
own route, which it has too, does not wait for others. It is asked where it does better. BentoML serves the same graph and
features.
"""

import itertools
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.api import checked, servers, trips
from benchmarks.api.conclusion import conclude
from benchmarks.api.kill import killed
from benchmarks.api.rivals import servers as rivals
from benchmarks.api.side import Side
from benchmarks.champion import champion
from benchmarks.world import World
from domain.entities.trips import TripColumns

CONNECTIONS = (1, 8, 64)
SECONDS, OTHERS_SECONDS, LOADER_SECONDS, BATCH_SECONDS = 2.5, 2.0, 1.0, 3.0
TRIPS, BATCH_TRIPS = 4_000, 20_000
BATCH_SIZES = (1_000, 10_000)
BATCH_CONNECTIONS = 2
KILLS = 3
OTHERS = ("mlflow", "mlserver", "bentoml", "without_signature", "registered")
VERIFIED = 50_000  # of the stored rows, made again by `tripcast verify`


def run(world: World, rounds: int) -> None:
    """Measure everything in one world, in turn; save and show."""
    say = Console(stderr=True).print
    started = time.monotonic()
    graph = champion(world, say)
    servers.log_pyfunc(world, graph)
    asked = trips.distinct_trips(TRIPS, seed=5)
    sides = {"loader": _loader(world, asked)}
    with servers.our_api(world) as api:
        sides |= _in_turn(world, api.address, asked, graph, rounds, say)
        sides["batches"] = _batches(api.address, say)
    unchecked, registered = f"models:/{servers.UNCHECKED}/1", "models:/trip-duration@champion"
    sides["without_signature"] = _other(world, unchecked, trips.posts_to_mlflow(asked), say)
    sides["registered"] = _other(world, registered, trips.features_to_mlflow(asked), say)
    say("kill -9 in mid-traffic")
    lost = [killed(world, asked) for _ in range(KILLS)]
    conclude(sides, lost, _check(world, sides) | {"took_seconds": round(time.monotonic() - started)})


def _loader(world: World, asked: TripColumns) -> Side:
    """Against a server that answers at once: far more requests a second than any side, or the load would be measured."""
    side, requests = Side(), trips.posts_to_our_api(asked)
    with servers.at_once(world) as server:
        for connections in CONNECTIONS:
            side.add(server.address, requests, connections, LOADER_SECONDS)
    return side


def _in_turn(world: World, address: str, asked: TripColumns, graph: Path, rounds: int, say: Any) -> dict[str, Side]:
    """Every round asks each of the others, then us, at each number of connections, while all are up."""
    sides = {name: Side() for name in ("mlflow", "mlserver", "bentoml", "ours")}
    alone = trips.posts_to_mlflow(asked)
    asks = {"mlflow": alone, "bentoml": trips.posts_to_bentoml(asked), "ours": trips.posts_to_our_api(asked)}
    together = asks | {"mlserver": trips.posts_to_mlserver(asked)}
    with ExitStack() as stack:
        addresses = {
            "mlflow": stack.enter_context(servers.mlflow_server(world, f"models:/{servers.CHECKED}/1")).address,
            "mlserver": stack.enter_context(rivals.mlserver(world)).address,
            "bentoml": stack.enter_context(rivals.bentoml(world, graph)).address,
            "ours": address,
        }
        for number, connections in itertools.product(range(rounds), CONNECTIONS):
            requests = together if connections > 1 else asks | {"mlserver": alone}
            for name, side in sides.items():
                seconds = OTHERS_SECONDS if name in {"mlserver", "bentoml"} else SECONDS
                side.add(addresses[name], requests[name], connections, seconds)
            rates = ", ".join(f"{name} {side.rounds[connections][-1].rate:,.0f}/s" for name, side in sides.items())
            say(f"round {number + 1}, {connections} connections: {rates}")
    return sides


def _batches(address: str, say: Any) -> Side:
    """Rounds by size of the batch."""
    side, asked = Side(), trips.distinct_trips(BATCH_TRIPS, seed=6)
    for size in BATCH_SIZES:
        rate = side.add(address, trips.batches_to_our_api(asked, size), BATCH_CONNECTIONS, BATCH_SECONDS, by=size).rate
        say(f"batches of {size:,}: {rate * size:,.0f} trips/s")
    return side


def _other(world: World, model: str, requests: list[bytes], say: Any) -> Side:
    """One round of MLflow with another flavour of the same graph."""
    side = Side()
    with servers.mlflow_server(world, model) as server:
        for connections in CONNECTIONS:
            rate = side.add(server.address, requests, connections, OTHERS_SECONDS).rate
            say(f"{model}, {connections} connections: {rate:,.0f}/s")
    return side


def _check(world: World, sides: dict[str, Side]) -> dict[str, int]:
    """Raises when two sides differ in a bit, when something answered was not logged, or when rows cannot be made again."""
    ours, batches = checked.our_predictions(sides["ours"].answers()), checked.our_batches(sides["batches"].answers())
    theirs = [answers for name in OTHERS for answers in sides[name].answers()]
    answered = [each for predictions in ours.values() for each in predictions] + batches
    world.tripcast("verify", "--source", "api", "--limit", str(VERIFIED))
    return {
        "equal_to_the_bit": checked.same_bits(ours, theirs),
        "answered_and_logged": checked.every_answer_is_a_row(world, answered),
    }
