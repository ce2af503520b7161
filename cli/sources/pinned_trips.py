"""The model gate's trips: a stretch of the simulated city that is always the same, or a file."""

from pathlib import Path

from adapters.environment.settings import CitySettings
from batch.load import TripSource
from cli.sources import bootstrap
from cli.sources.simulated_history import SimulatedHistory
from domain.city.city import City
from domain.model_gate import Pinned
from domain.split import utc64


def pinned_source(settings: CitySettings, pinned: Pinned, file: Path | None, zones: Path | None) -> TripSource:
    """What to read. Raises InvalidInput or WrongColumns for a file that cannot be read."""
    if file is not None:
        return bootstrap.open_file(settings, file, zones)
    city = City(pinned.seed, settings.clock())
    return SimulatedHistory(city, settings.rules(), pinned.trips, utc64(pinned.until), pinned.days)
