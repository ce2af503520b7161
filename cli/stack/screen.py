"""What `tripcast up` shows: the steps of the start, the addresses once, then one live line."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.stack.addresses import Addresses, without_password
from cli.stack.units import State, Unit

PLAIN_LINE_SECONDS = 10.0
BUSY = (State.PREPARING, State.STARTING, State.COMPLETING)


class Screen:
    """On a terminal the last line is redrawn; elsewhere a plain line comes every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._began: dict[str, float] = {}
        self._last_plain = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def report(self, unit: Unit, state: State) -> None:
        """Say what became of a unit."""
        match state:
            case State.PREPARING:
                self._began[unit.name] = time.monotonic()
                if unit.doing and not unit.prepared:
                    self.say(f"{unit.name}: {unit.doing}")
            case State.READY | State.ENDED:
                verb = "ready" if state is State.READY else "done"
                self.say(f"{unit.name} {verb} ({time.monotonic() - self._began[unit.name]:.1f} s)")
            case State.RESTING:
                self.say(f"{unit.name} died ({unit.deaths}): again in {unit.backoff_seconds():.1f} s", style="yellow")
            case _:
                pass

    def starting(self, units: Iterable[Unit]) -> None:
        """The live line while not everything is up."""
        names = [f"{unit.name} ({unit.doing})" if unit.doing and not unit.prepared else unit.name for unit in units]
        if self._live and names:
            self._live.update(Text(f"starting: {', '.join(names)}", style="dim"), refresh=True)

    def addresses(self, addresses: Addresses) -> None:
        """Where everything is, once."""
        if addresses.board:
            self.say(f"Board       {addresses.board}", style="bold")
        if addresses.api:
            self.say(f"API         {addresses.api}  (try it: {addresses.api}/docs)")
        self.say(f"Kafka       {addresses.kafka}")
        self.say(f"PostgreSQL  {without_password(addresses.database)}")
        self.say(f"MLflow      {without_password(addresses.mlflow)}")
        self.say(f"worker      {addresses.worker}/metrics")

    def line(self, text: str) -> None:
        """The live line."""
        if self._live:
            self._live.update(Text(text, style="bold"), refresh=True)
        elif time.monotonic() - self._last_plain >= PLAIN_LINE_SECONDS:
            self._last_plain = time.monotonic()
            self.say(text)

    def say(self, text: str, style: str | None = None) -> None:
        """A line that stays."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def busy(units: Iterable[Unit]) -> list[Unit]:
    """The units that are on their way up."""
    return [unit for unit in units if unit.state in BUSY]
