"""Let an episode ask for its training, where the policy wants somebody to agree first."""

from dataclasses import dataclass

from domain.entities.models import LifecycleEvent
from domain.errors import InvalidInput
from domain.ports import Announce, Clock, LifecycleJournal

APPROVED = "retraining.approved"
CONFIRMED = ("drift.confirmed", "retraining.held")  # an episode of which neither was said does not exist


@dataclass(frozen=True, slots=True)
class ApproveTraining:
    """See the module."""

    journal: LifecycleJournal
    announce: Announce
    clock: Clock

    async def __call__(self, episode: int, actor: str, reason: str) -> LifecycleEvent:
        """The recorded approval, the earlier one if there is one. Raises InvalidInput for an episode that nobody knows."""
        subject = f"episode {episode}"
        earlier = await self.journal.newest([APPROVED], subject)
        if earlier is not None:
            return earlier
        if await self.journal.newest(CONFIRMED, subject) is None:
            raise InvalidInput(f"there is no episode {episode}; `tripcast history` lists them")
        event = LifecycleEvent(APPROVED, subject, actor, reason, self.clock.now())
        await self.journal.record(event)
        await self.announce(event)
        return event
