"""A Dask cluster that was found fit to train on: it answers, and each worker has this program and reads the same trips."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from distributed.client import Client

from domain.errors import ClusterUnreachable, InvalidInput

CONNECT_SECONDS = 10.0
COMPARED = ("dask", "distributed", "numpy", "xgboost")  # whose versions must be the same everywhere: they exchange objects
PROGRAM = "tripcast"


@contextmanager
def connected(address: str, ours: object, sight: Callable[[], object]) -> Iterator[Client]:
    """A client of the scheduler at an address such as tcp://10.0.0.1:8786, while the block runs.

    `ours`: what this program sees, such as its feature schema and which database it reads; `sight` says what a worker sees.
    Raises ClusterUnreachable, and InvalidInput naming every worker that is unfit.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # what goes wrong reaches the user as an error of ours
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ClusterUnreachable(f"no Dask scheduler answers at {address} within {CONNECT_SECONDS:.0f} s") from error
    except ValueError as error:
        raise InvalidInput(f"{address} is not an address of a Dask scheduler, such as tcp://10.0.0.1:8786: {error}") from error
    with client:
        check(client, ours, sight)
        yield client


def workers_of(client: Client) -> list[str]:
    """Their addresses, in order."""
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


def check(client: Client, ours: object, sight: Callable[[], object]) -> None:
    """Raises ClusterUnreachable when there is no worker, InvalidInput when one cannot do what is asked of it."""
    if not workers_of(client):
        raise ClusterUnreachable(f"the Dask scheduler at {client.scheduler.address} has no workers")
    _refuse(_without_program(client), f"install {PROGRAM}[dask] {metadata.version(PROGRAM)} there")
    _refuse(_other_versions(client), "scheduler, workers and this program need the same packages")
    _refuse(_other_sights(client, ours, sight), "every worker needs the settings of this program")


def _refuse(problems: list[str], advice: str) -> None:
    if problems:
        raise InvalidInput(f"{'; '.join(problems)}: {advice}")


def _without_program(client: Client) -> list[str]:
    """Asked with a function of the standard library: one of ours could not be loaded where we are missing."""
    ours = metadata.version(PROGRAM)
    found = client.run(metadata.version, PROGRAM, on_error="return")
    return [
        f"the Dask worker {worker} has {f'{PROGRAM} {version}' if isinstance(version, str) else f'no {PROGRAM}'}"
        for worker, version in sorted(found.items())
        if version != ours
    ]


def _other_versions(client: Client) -> list[str]:
    found = client.get_versions(packages=list(COMPARED))
    ours = _versions(found["client"])
    others = {"the Dask scheduler": found["scheduler"]}
    others |= {f"the Dask worker {worker}": versions for worker, versions in sorted(found["workers"].items())}
    return [
        f"{who} has {name} {version} instead of {ours[name]}"
        for who, versions in others.items()
        for name, version in _versions(versions).items()
        if version != ours[name]
    ]


def _versions(found: Mapping[str, Any]) -> dict[str, str]:
    """Python by its minor version, packages in full."""
    python = ".".join(found["host"]["python"].split(".")[:2])
    return {"Python": python} | {name: str(found["packages"].get(name)) for name in COMPARED}


def _other_sights(client: Client, ours: object, sight: Callable[[], object]) -> list[str]:
    """As a task, since that is how the trips are read."""
    asked = {worker: client.submit(sight, workers=[worker], pure=False) for worker in workers_of(client)}
    found = {worker: answer.exception() or answer.result() for worker, answer in asked.items()}
    return [
        f"the Dask worker {worker}: {theirs if isinstance(theirs, BaseException) else f'sees {theirs} instead of {ours}'}"
        for worker, theirs in found.items()
        if theirs != ours
    ]
