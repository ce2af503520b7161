"""The trainer, and the trainings that it starts, as processes of their own: `python -m tests.trainer_process`.

TEST_DEATH names a step at which a process kills itself, as SIGKILL from outside would; TEST_DEATH_FILE is a file that it
leaves, so that it does so only once. Trainings know one candidate, and that grows few trees.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.environment.logs import configure
from adapters.mlflow.registry import Registry
from adapters.postgres.tables.lifecycle import Journal
from batch import trainer_bootstrap
from batch.answer import AnswerRequest
from batch.settings import BatchSettings
from cli.exit_codes import EXIT_CODES

# What dies before it does something. The alias writes are counted: alias-2 dies instead of the second.
STEPS: dict[str, tuple[Any, str]] = {
    "taken": (AnswerRequest, "__call__"),
    "record": (Journal, "record"),
    "answer": (trainer_bootstrap.Requests, "answer"),
}


def die() -> None:
    """Once."""
    mark = Path(os.environ["TEST_DEATH_FILE"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str) -> None:
    original = getattr(owner, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        die()
        return original(*arguments, **named)

    setattr(owner, name, dying)


def at_alias(number: int) -> None:
    writes = iter(range(1, 1000))

    def counted(original: Callable[..., None]) -> Callable[..., None]:
        def write(*arguments: Any) -> None:
            if next(writes) == number:
                die()
            original(*arguments)

        return write

    Registry.set_alias = counted(Registry.set_alias)  # type: ignore[method-assign]
    Registry.drop_alias = counted(Registry.drop_alias)  # type: ignore[method-assign]


def while_training() -> None:
    start = asyncio.create_subprocess_exec

    async def started(*arguments: Any, **named: Any) -> Any:
        process = await start(*arguments, **named)
        die()
        return process

    asyncio.create_subprocess_exec = started


def arm(step: str) -> None:
    if step in STEPS:
        before(*STEPS[step])
    elif step.startswith("alias-"):
        at_alias(int(step.removeprefix("alias-")))
    elif step == "training":
        while_training()


def train() -> None:
    from adapters.mlflow.experiments import Experiments
    from batch import train_bootstrap
    from batch.candidates.xgboost import CANDIDATE
    from cli.main import main

    quick = replace(CANDIDATE, trees=60, learning_rate=0.1, least_leaf_weight=500.0)
    setattr(train_bootstrap, "chosen", lambda _: [quick])  # noqa: B010 - not exported
    if os.environ.get("TEST_DEATH") == "register":
        before(Experiments, "register")
    main()


def run() -> None:
    settings = BatchSettings.read()
    configure(settings)
    arm(os.environ.get("TEST_DEATH", ""))
    command = [sys.executable, "-m", "tests.trainer_process", "train"]
    asyncio.run(trainer_bootstrap.run(settings, command, {code: kind for kind, code in EXIT_CODES.items()}))


if __name__ == "__main__":
    train() if sys.argv[1:] else run()
