"""`tripcast simulate`: publish events of a simulated city, or load its past as history."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console

from cli.commands.replay import parsed_speed

app = typer.Typer(add_completion=False)
FIRST_MONDAY = "2025-01-06T07:00:00"  # as the streets fill up


class Summary(Protocol):
    """What a run reports."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        ...

    def show(self, console: Console) -> None:
        """For people."""
        ...


@app.command()
def simulate(
    *,
    seed: Annotated[int, typer.Option(min=0, help="The city; the same seed is the same city.")] = 7,
    rate: Annotated[float, typer.Option(min=0.001, help="Trips a second, on average over the city's week.")] = 50.0,
    speed: Annotated[str, typer.Option(help="City seconds per second, or max for as fast as possible.")] = "60",
    start: Annotated[datetime, typer.Option(help="Where the city's clocks start, without a state.")] = FIRST_MONDAY,  # type: ignore[assignment]
    duration: Annotated[float | None, typer.Option(min=0, help="Stop after so many minutes of city time.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="Keep the clock and the running trips in this file; go on from there.")
    ] = None,
    history: Annotated[
        int | None, typer.Option(min=1, help="Load that many trips before the start as history, and end.")
    ] = None,
    history_days: Annotated[int, typer.Option(min=1, max=3650, help="Days that the history covers.")] = 28,
    slowdown: Annotated[float | None, typer.Option(help="Multiply driving times by this.")] = None,
    slowdown_area: Annotated[str | None, typer.Option(help="Only for pickups in this area; whole for the whole city.")] = None,
    slowdown_after: Annotated[float | None, typer.Option(help="Begin after so many minutes of city time.")] = None,
    fault: Annotated[str | None, typer.Option(help="What is wrong with the feed: none, unit, missing-field or clock.")] = None,
    fault_share: Annotated[float | None, typer.Option(help="Share of trips that it concerns.")] = None,
    fault_after: Annotated[float | None, typer.Option(help="Begin after so many minutes of city time.")] = None,
    duplicates: Annotated[float | None, typer.Option(help="Share of events that are sent twice.")] = None,
    late: Annotated[float | None, typer.Option(help="Share of completions that come 30 to 180 minutes late.")] = None,
    missing: Annotated[float | None, typer.Option(help="Share of completions that never come.")] = None,
    poison: Annotated[float | None, typer.Option(help="Undecodable events, as a share of the trips.")] = None,
    traced: Annotated[float, typer.Option(min=0, max=1, help="Share of trips whose events begin a trace.")] = 0.001,
    control: Annotated[Path | None, typer.Option(help="File that holds the knobs; default <data>/simulator.toml.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Turn the given knobs of the simulation that runs, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Publish events of a simulated city. Ends cleanly on Ctrl-C and SIGTERM.

    In another terminal, `tripcast simulate --apply --slowdown 1.5` slows the running city down.
    """
    from cli.sources import simulate_command as command  # noqa: PLC0415 - loads pyarrow, aiokafka and asyncpg
    from cli.sources.knobs import Knobs  # noqa: PLC0415 - loads numpy

    given = {
        "slowdown": slowdown,
        "slowdown_area": slowdown_area,
        "slowdown_after": slowdown_after,
        "fault": fault,
        "fault_share": fault_share,
        "fault_after": fault_after,
        "duplicates": duplicates,
        "late": late,
        "missing": missing,
        "poison": poison,
    }
    turned: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if apply:
        return _report(command.turn_knobs(control, turned), as_json=as_json)
    options = command.SimulateOptions(
        seed, rate, parsed_speed(speed), start, duration, state, control, Knobs.checked(turned), traced
    )
    if history is not None:
        loading = command.load_history(options, history, history_days, None if as_json else Console(stderr=True))
        return _report(asyncio.run(loading), as_json=as_json)
    return _report(asyncio.run(command.simulate(options)), as_json=as_json)


def _report(summary: "Summary", *, as_json: bool) -> None:
    if as_json:
        Console().print_json(data=summary.as_dict())
    else:
        summary.show(Console())
