"""Bring a version from one environment's registry to another's, make it champion there, and take it back if that harms.

The files travel as they were verified: sizes and hashes of the copy must be those that the source's registry recorded.
Promotion and rollback are the same use cases as `tripcast promote` and `rollback`, with the same records and messages.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.entities.models import Alias, ModelVersion
from domain.errors import ModelRefused, NoChampion, UnknownVersion
from domain.ports import ModelRegistry

Promote = Callable[[int, str], Awaitable[object]]  # version, reason
RollBack = Callable[[str], Awaitable[object]]  # reason
Copy = Callable[[ModelVersion], Awaitable[int]]
Watch = Callable[[int], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What came of it: the version's number here, the one it was copied from, and who was champion before."""

    version: int
    source: ModelVersion
    replaced: int | None


@dataclass(frozen=True, slots=True)
class DeployVersion:
    """See the module. `source` and `target` are registries; `name` says in words which registry the source is.

    `copy` registers the source's version in the target and returns its number; `watch` says what is wrong with the service, or
    None when it is well. Running it again after a crash goes on where it was: nothing is copied twice.
    """

    source: ModelRegistry
    target: ModelRegistry
    name: str
    copy: Copy
    promote: Promote
    roll_back: RollBack
    watch: Watch

    async def __call__(self, version: int | None, reason: str) -> Deployed:
        """`version` None: the source's champion. Raises NoChampion, UnknownVersion, and what promotions raise.

        Raises ModelRefused when the version fails a check, and when the service is not well afterwards: then the version of
        before is champion again, if there was one.
        """
        found = self._wanted(version)
        before = self.target.resolve(Alias.CHAMPION)
        number = self._already_here(found) or await self._copied(found)
        await self.promote(number, f"{reason} ({self.name} version {found.version})")
        wrong = await self.watch(number)
        if wrong is not None:
            raise ModelRefused(await self._back(number, wrong))
        return Deployed(number, found, before.version if before and before.version != number else None)

    def _wanted(self, version: int | None) -> ModelVersion:
        if version is not None:
            return self.source.get(version)
        champion = self.source.resolve(Alias.CHAMPION)
        if champion is None:
            raise NoChampion(f"{self.name} has no champion to deploy; name a version")
        return champion

    def _already_here(self, found: ModelVersion) -> int | None:
        """The same bytes may be here: a deployment that is run again, or one that goes back to an older version."""
        return next((each.version for each in self.target.versions() if each.files == found.files and each.files), None)

    async def _copied(self, found: ModelVersion) -> int:
        number = await self.copy(found)
        if self.target.get(number).files != found.files:
            raise ModelRefused(f"version {number}: its files are not those of {self.name} version {found.version}")
        return number

    async def _back(self, number: int, wrong: str) -> str:
        """Take it back, unless somebody has made another one champion meanwhile; what was done, in words."""
        champion = self.target.resolve(Alias.CHAMPION)
        if champion is None or champion.version != number:
            return f"version {number} is not well ({wrong}); somebody has replaced it already"
        try:
            await self.roll_back(f"version {number} is not well: {wrong}")
        except UnknownVersion:
            return f"version {number} is not well ({wrong}), and there is no version to go back to"
        back = self.target.resolve(Alias.CHAMPION)
        return f"version {number} was rolled back to version {back.version if back else '?'}: {wrong}"
