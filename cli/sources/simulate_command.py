"""What `tripcast simulate` does between its arguments and its summary."""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import structlog
from rich.console import Console
from rich.table import Table

from cli.sources import bootstrap
from cli.sources.city_events import CityEvents, Kind
from cli.sources.knobs import ControlFile, Knobs, TurnedKnobs
from cli.sources.load_command import LoadReport, load_sources
from cli.sources.pace import until_signal
from cli.sources.settings import HistorySettings, SourceSettings
from cli.sources.simulated_history import SimulatedHistory
from cli.sources.simulation import Journey, Simulation
from cli.sources.simulation_state import SAVE_SECONDS, SimulationState
from domain.city.city import MINUTE, City
from domain.errors import InvalidInput
from domain.features import CityClock
from domain.split import instant, utc64

CONTROL_FILE = "simulator.toml"
FASTEST_RATE_SPEED = 60.0  # at infinite speed, the city is as busy as at this one
log = structlog.get_logger("tripcast.simulate")


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What the user asked for. `start` is local time of the city; `minutes` of city time, None for ever.

    `traced`: share of the trips.
    """

    seed: int
    rate: float
    speed: float
    start: datetime
    minutes: float | None
    state: Path | None
    control: Path | None
    knobs: Knobs
    traced: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What one run has published, and the city's time at its end."""

    published: Counter[Kind]
    city_time: datetime
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        total = self.published.total()
        return {
            "published": {kind.value: self.published[kind] for kind in Kind},
            "city_time": self.city_time.isoformat(),
            "seconds": round(self.seconds, 3),
            "events_per_second": round(total / max(self.seconds, 1e-9), 1),
        }

    def show(self, console: Console) -> None:
        """As a table."""
        table = Table("events", "published", title=f"The simulated city until {self.city_time:%Y-%m-%d %H:%M} UTC")
        for kind in Kind:
            table.add_row(kind.value, f"{self.published[kind]:,}")
        console.print(table)


@dataclass(frozen=True, slots=True)
class KnobsReport:
    """The knobs as they are now."""

    knobs: Knobs

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return msgspec.structs.asdict(self.knobs)

    def show(self, console: Console) -> None:
        """As a table."""
        table = Table("knob", "position", title="The running simulation")
        for name, value in self.as_dict().items():
            table.add_row(name, str(value))
        console.print(table)


async def simulate(options: SimulateOptions) -> SimulationSummary:
    """Publish the simulated city until its time is over or someone stops it."""
    settings = SourceSettings.read()
    bootstrap.configure_logs(settings)
    state = SimulationState(options.state, options.seed)
    start = first_moment(options.start, settings.clock())
    journey = state.load() or Journey(start, start)
    until = None if options.minutes is None else journey.now + np.timedelta64(int(options.minutes * 60_000_000), "us")
    control = ControlFile(options.control or settings.data / CONTROL_FILE)
    busy_speed = FASTEST_RATE_SPEED if math.isinf(options.speed) else options.speed
    async with until_signal() as waiting, bootstrap.trip_events(settings, options.traced, waiting) as publish:
        run = Simulation(
            city=City(options.seed, settings.clock()),
            events=CityEvents(bootstrap.JsonEvents()),
            publish=publish,
            waiting=waiting,
            turned=_follow(control, TurnedKnobs(options.knobs, journey.now)),
            save=_at_intervals(state.save, time.monotonic),
            latest=lambda: utc64(bootstrap.wall_now()),
            trips_per_city_second=options.rate / busy_speed,
            speed=options.speed,
        )
        began = waiting.seconds()
        control.start(options.knobs)
        try:
            published = await run(journey, until)
        finally:
            control.remove()
            state.save(journey)
        return SimulationSummary(published, instant(journey.now), waiting.seconds() - began)


async def load_history(options: SimulateOptions, count: int, days: int, console: Console | None) -> LoadReport:
    """Load the city's past, up to its first moment, as history."""
    settings = HistorySettings.read()
    city = City(options.seed, settings.clock())
    until = first_moment(options.start, settings.clock())
    history = SimulatedHistory(city, settings.rules(), count, until, days)
    return await load_sources(settings, [(f"simulated-{options.seed}", history)], console=console)


def turn_knobs(control: Path | None, turned: dict[str, object]) -> "KnobsReport":
    """Turn some knobs of the running simulation. Raises InvalidInput when none runs."""
    file = ControlFile(control or SourceSettings.read().data / CONTROL_FILE)
    knobs = Knobs.checked(msgspec.structs.asdict(file.read()) | turned)
    file.write(knobs)
    return KnobsReport(knobs)


def first_moment(start: datetime, clock: CityClock) -> np.datetime64:
    """The instant (UTC, to the minute) at which the city's clocks show that time, the first one where they show it twice."""
    local = np.datetime64(start.replace(tzinfo=None), "us")
    around = local + np.arange(-26 * 60, 26 * 60) * MINUTE  # no zone is further from UTC
    matching = around[clock.local(around) == local.astype("datetime64[m]").astype("datetime64[us]")]
    if not len(matching):
        raise InvalidInput(f"--start {start}: the city's clocks never showed that time")
    return np.datetime64(matching[0], "us")


def _follow(control: ControlFile, turned: TurnedKnobs) -> Callable[[np.datetime64], TurnedKnobs]:
    """The knobs in force: those of the start, then those that someone has written into the control file."""
    current = turned

    def at(now: np.datetime64) -> TurnedKnobs:
        nonlocal current
        try:
            knobs = control.changed()
        except InvalidInput as error:
            log.warning("knobs_refused", reason=str(error))
            return current
        if knobs is not None:
            current = TurnedKnobs(knobs, now)
            log.info("knobs_turned", city_time=str(now), slowdown=knobs.slowdown, fault=knobs.fault)
        return current

    return at


def _at_intervals(save: Callable[[Journey], None], seconds: Callable[[], float]) -> Callable[[Journey], None]:
    saved = seconds()

    def maybe(journey: Journey) -> None:
        nonlocal saved
        if seconds() - saved >= SAVE_SECONDS:
            save(journey)
            saved = seconds()

    return maybe
