"""The `tripcast` command: finds the command asked for, loads only that one, and turns errors into one line and a code."""

import importlib
import importlib.metadata
import sys
from typing import Annotated, cast

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.exit_codes import exit_code_of
from domain.errors import TripcastError

# Name, module in cli.commands, and the line that `tripcast --help` shows: listing them loads none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "Start Kafka, PostgreSQL, MLflow, trainer, worker, API, board and a trip source; Ctrl-C stops all."),
    "doctor": ("doctor", "Check every part and say what to do about each failure."),
    "config": ("config", "Show all settings, where each comes from, secrets masked."),
    "prepare": ("prepare", "Make servers ready: logins, databases, tables, topics and API keys; safe to repeat."),
    "migrate": ("migrate", "Create or upgrade the database schema and the topics."),
    "load": ("load", "Load trip files as history."),
    "replay": ("replay", "Publish a trip file as live events, in event-time order."),
    "simulate": ("simulate", "Publish events of a simulated city."),
    "train": ("train", "Train the candidates on the stored trips and register the best."),
    "candidates": ("candidates", "List what trainings try, and check a model of your own in seconds."),
    "trainer": ("trainer", "Run the trainer role."),
    "worker": ("worker", "Run the stream worker role."),
    "dashboard": ("dashboard", "Run the board: what the system does and how well, in a browser."),
    "api": ("api", "Run the API role."),
    "canary": ("canary", "Run the canary role: a trip every few seconds, timed from end to end."),
    "keys": ("keys", "Create, list and revoke keys of the API."),
    "models": ("models", "List model versions with their metrics and aliases."),
    "history": ("history", "Who was champion at any time and why: episodes, requests, gates, promotions."),
    "promote": ("promote", "Make a version champion."),
    "rollback": ("rollback", "Make the previous champion champion again."),
    "deploy": ("deploy", "Copy a version from another environment, make it champion, watch, roll back."),
    "backtest": ("backtest", "Live through trip files with the closed loop, without Kafka."),
    "gate": ("gate", "Train on pinned trips and compare with the recorded baseline."),
    "policy": ("policy", "Check or show the policy of the closed loop."),
    "quality": ("quality", "Show how wrong predictions turned out, mature cohorts apart from immature ones."),
    "approve": ("approve", "Let an episode of drift ask for its training."),
    "audit": ("audit", "Prove that every event is a row, a dead letter or a named skip."),
    "verify": ("verify", "Re-score stored predictions and compare them bit for bit."),
    "prune": ("prune", "Drop history by age: months of trips, and other old rows."),
    "dead-letters": ("dead_letters", "List, show and replay refused events."),
    "schemas": ("schemas", "Export the event schemas, or check the exported ones."),
}


class LazyCommands(TyperGroup):
    """Imports a command's module when that command is run."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the base class's signature
        """Names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002 - the base class's signature
        """The command, built from `cli.commands.<module>.app`."""
        if cmd_name not in COMMANDS:
            return None
        module, summary = COMMANDS[cmd_name]
        if "--help" in sys.argv[1:2]:
            return TyperCommand(cmd_name, short_help=summary)
        command = get_command(importlib.import_module(f"cli.commands.{module}").app)
        command.name = cmd_name
        return cast("TyperCommand", command)


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def _say_version(asked: bool) -> None:  # noqa: FBT001 - how typer calls it
    if asked:
        typer.echo(f"tripcast {importlib.metadata.version('tripcast')}")
        raise typer.Exit


@app.callback()
def tripcast(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Predict taxi trip durations from a stream of events."""


def main() -> None:
    """Run the command line; the only place where an error becomes an exit code."""
    try:
        app(prog_name="tripcast")
    except TripcastError as error:
        Console(stderr=True, soft_wrap=True).print(f"tripcast: {error}", style="red", highlight=False, markup=False)
        sys.exit(exit_code_of(error))
