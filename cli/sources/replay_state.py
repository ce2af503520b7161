"""Remember, in a small file, how far the replay of each file got."""

import json
from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ReplayState:
    """Positions by name of what is replayed; a name holds everything that changes the timeline (file's hash, split, limit)."""

    path: Path | None

    def position(self, name: str) -> int:
        """How many events are published; 0 for a name never seen. Raises InvalidInput for a damaged file."""
        return self._positions().get(name, 0)

    def remember(self, name: str, position: int) -> None:
        """Replace the file in one step, so that a crash leaves the old one or the new one."""
        if self.path is None:
            return
        positions = self._positions() | {name: position}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(self.path.name + ".new")
        draft.write_text(json.dumps({"positions": positions}))
        draft.replace(self.path)

    def _positions(self) -> dict[str, int]:
        if self.path is None or not self.path.exists():
            return {}
        try:
            positions = json.loads(self.path.read_text())["positions"]
            return {str(name): int(position) for name, position in positions.items()}
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise InvalidInput(f"{self.path} is not the state of a replay: delete it to start from the beginning") from error
