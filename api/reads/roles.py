"""How the other roles are: each that the settings name, every instance of it, and a word about those that they do not name."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from api.reads.machine import Get, RoleWatch, unknown_role
from schemas.http.health import RoleStatus


@dataclass(slots=True)
class Role:
    """One role, all its instances. `setting`: what says where it is; `ready_path` None: it has no such route."""

    get: Get
    name: str
    setting: str
    instances: Callable[[], Awaitable[Sequence[str]]]
    ready_path: str | None = "/readyz"
    _watches: dict[str, RoleWatch] = field(default_factory=dict)

    async def __call__(self) -> list[RoleStatus]:
        """Never raises: an instance that does not answer is a status too."""
        found = await self.instances()
        if not found:
            return [unknown_role(self.name, self.setting)]
        self._watches = {address: self._watches.get(address) or self._watch(address) for address in found}
        return list(await asyncio.gather(*(watch() for watch in self._watches.values())))

    def _watch(self, address: str) -> RoleWatch:
        return RoleWatch(self.get, self.name, address, self.ready_path)


async def statuses(roles: Sequence[Role]) -> list[RoleStatus]:
    """Of all, in their order."""
    return [status for found in await asyncio.gather(*(role() for role in roles)) for status in found]
