"""Keep the simulated city's clock and its running trips in a file, so that the next run goes on where this one stopped."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cli.sources.city_events import DueEvent, Kind
from cli.sources.simulation import Journey
from domain.errors import InvalidInput

SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SimulationState:
    """The state file of one city; without a path nothing is kept."""

    path: Path | None
    seed: int

    def load(self) -> Journey | None:
        """Where the last run stopped; None for a first run. Raises InvalidInput for a damaged file or another city's."""
        if self.path is None or not self.path.exists():
            return None
        try:
            state = json.loads(self.path.read_text())
            journey = Journey(
                now=np.datetime64(state["now"], "us"),
                made_until=np.datetime64(state["made_until"], "us"),
                pending=[_event(*event) for event in state["pending"]],
            )
            seed = int(state["seed"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InvalidInput(f"{self.path} is not the state of a simulation: delete it to start anew") from error
        if seed != self.seed:
            raise InvalidInput(f"{self.path} belongs to the city with seed {seed}: give --seed {seed}, or another --state")
        return journey

    def save(self, journey: Journey) -> None:
        """Replace the file in one step."""
        if self.path is None:
            return
        state = {
            "seed": self.seed,
            "now": str(journey.now),
            "made_until": str(journey.made_until),
            "pending": [
                [event.due_us, event.kind, event.key.decode("latin-1"), event.value.decode("latin-1")]
                for event in journey.pending
            ],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(self.path.name + ".new")
        draft.write_text(json.dumps(state))
        draft.replace(self.path)


def _event(due_us: int, kind: str, key: str, value: str) -> DueEvent:
    return DueEvent(int(due_us), Kind(kind), key.encode("latin-1"), value.encode("latin-1"))
