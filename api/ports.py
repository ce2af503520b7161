"""What the API needs from the world, as roles; each docstring is the contract."""

from collections.abc import Sequence
from typing import Protocol

from domain.entities.api_keys import StoredKey
from domain.entities.served import ServedPredictions


class ServedStore(Protocol):
    """Where predictions are kept that the API has given out. Raises DatabaseUnreachable, within seconds."""

    async def write(self, rows: ServedPredictions, *, again: bool) -> None:
        """Return when all rows are committed; what it raises leaves open which are. `again`: rows may be there already."""
        ...

    async def probe(self) -> None:
        """Return when rows could be written now."""
        ...

    def close(self) -> None:
        """Let go. Never waits; the next call opens anew."""
        ...


class ReadKeys(Protocol):
    """Where the API's keys are. Raises DatabaseUnreachable, within seconds."""

    async def __call__(self) -> Sequence[StoredKey]:
        """The keys that are not revoked."""
        ...

    def close(self) -> None:
        """Let go. Never waits; the next call opens anew."""
        ...
