"""`tripcast policy`: check a policy file, or show the policy in force."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
File = Annotated[Path | None, typer.Argument(help="A policy, TOML; without it the one of TRIPCAST_POLICY, or the default.")]


@app.command()
def check(file: File = None) -> None:
    """Say whether a policy can be used, and what is wrong with it if not."""
    from cli.bootstrap import policy_in_force  # noqa: PLC0415 - loads pydantic

    policy = policy_in_force(file)
    tiers = ", ".join(f"{tier.shift:+.2f} for {tier.hours:g} h" for tier in policy.confirmation)
    name = file or "the policy in force"
    Console().print(f"{name}: valid; {len(policy.detectors)} detectors; confirmed by a shift of {tiers}.", highlight=False)


@app.command()
def show(file: File = None) -> None:
    """Print every value of a policy as JSON, defaults included."""
    from cli.bootstrap import policy_in_force  # noqa: PLC0415 - loads pydantic

    Console().print_json(data=asdict(policy_in_force(file)))
