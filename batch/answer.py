"""Do what the loop asked for, so that doing it again after a crash completes it and never does it twice.

Each step leaves a mark before the next: a training is remembered under its subject before its alias moves, a change of roles
names its request in the record. What was done once is not done again, even when people have changed roles in the meantime.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

import structlog

from batch.patience import patiently
from batch.training_process import TrainingOrder
from domain.entities.models import Alias, LifecycleEvent, RoleChange
from domain.errors import ConcurrentUpdate, InvalidInput, PartFailed, TripcastError, Unreachable
from domain.loop.decisions import Outcome, Request, RequestKind
from domain.loop.journal import moment
from domain.ports import Clock, ModelRegistry

log = structlog.get_logger("tripcast.trainer")

FINISHED, FAILED = "retraining.finished", "retraining.failed"
ACTOR = "trainer"
TRIES = 3  # of a training process that was killed, by whomever; the memory may have been short


class Journal(Protocol):
    """The record of what happened to models. Raises DatabaseUnreachable."""

    async def record(self, event: LifecycleEvent) -> None:
        """Append an event."""
        ...

    async def newest(self, kinds: Sequence[str], subject: str | None = None) -> LifecycleEvent | None:
        """The event of these kinds, about this subject, that was recorded last."""
        ...


RunTraining = Callable[[TrainingOrder], Awaitable[None]]
Promote = Callable[[int, Request], Awaitable[object]]
RollBack = Callable[[Request], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    outcome: Outcome
    reason: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """See the module. Callers hold the request. `promote` leaves the old champion in the shadow, to be compared with."""

    registry: ModelRegistry
    journal: Journal
    run_training: RunTraining
    promote: Promote
    roll_back: RollBack
    clock: Clock

    async def __call__(self, request: Request) -> Answer:
        """Raises Unreachable and ConcurrentUpdate, after which it may be called again; whatever else fails is an answer."""
        try:
            match request.kind:
                case RequestKind.RETRAINING:
                    return await self._retrain(request)
                case RequestKind.PROMOTION:
                    return await self._promote(request)
                case RequestKind.DISMISSAL:
                    return self._dismiss(request)
                case RequestKind.ROLLBACK:
                    return await self._roll_back(request)
                case _:
                    assert_never(request.kind)
        except (Unreachable, ConcurrentUpdate):
            raise
        except TripcastError as error:  # trying again would find the same and fail again
            return Answer(Outcome.FAILED, str(error), _number(request.body.get("version")))

    async def _retrain(self, request: Request) -> Answer:
        """Trainings wait for each other: a process that a killed trainer left behind may be finishing this very one."""
        done = await patiently(lambda: self._trained(request), request.subject)
        if done.kind == FAILED:
            return Answer(Outcome.FAILED, done.reason)
        version, outcome = _number(done.details.get("version")), done.details.get("outcome")
        if outcome == Outcome.REFUSED:
            return Answer(Outcome.REFUSED, str(done.details.get("why")), version)
        if outcome == Outcome.REGISTERED and version is not None:
            self._make_challenger(version)
            return Answer(Outcome.REGISTERED, "compared with the champion on live trips from now on", version)
        return Answer(Outcome.DONE, f"version {version} became champion: there was none", version)

    async def _done(self, request: Request) -> LifecycleEvent | None:
        return await self.journal.newest([FINISHED, FAILED], request.subject)

    async def _trained(self, request: Request) -> LifecycleEvent:
        done = await self._done(request)
        if done is None:
            why = await self._train(request)
            done = await self._done(request) or await self._failed(request, why)
        return done

    async def _train(self, request: Request) -> str:
        """What the training process said in the end. What it found, it has recorded."""
        for attempt in range(1, TRIES + 1):
            try:
                await self.run_training(order_of(request))
            except (Unreachable, ConcurrentUpdate):
                raise
            except PartFailed as error:
                log.warning("training_died", subject=request.subject, attempt=attempt, error=str(error))
                words = str(error)
            except TripcastError as error:
                return str(error)
            else:
                return "the training ended without a result"
        return words

    async def _failed(self, request: Request, why: str) -> LifecycleEvent:
        event = LifecycleEvent(FAILED, request.subject, ACTOR, why, self.clock.now())
        await self.journal.record(event)
        return event

    def _make_challenger(self, version: int) -> None:
        champion = self.registry.resolve(Alias.CHAMPION)
        if champion is None or champion.version != version:  # else somebody promoted it while we were away
            self.registry.set_alias(Alias.CHALLENGER, version)

    async def _promote(self, request: Request) -> Answer:
        version = _needed(request, "version")
        if not await self._was_done(RoleChange.PROMOTED, version, request):
            if obstacle := self._obstacle(request, version):
                return Answer(Outcome.FAILED, obstacle, version)
            await self.promote(version, request)
        return Answer(Outcome.DONE, f"version {version} is champion", version)

    async def _roll_back(self, request: Request) -> Answer:
        version = _needed(request, "version")
        previous = self.registry.resolve(Alias.PREVIOUS)
        unfinished = previous is not None and previous.version == version
        if unfinished or not await self._was_done(RoleChange.ROLLED_BACK, version, request):
            if obstacle := self._obstacle(request, version):
                return Answer(Outcome.FAILED, obstacle, version)
            await self.roll_back(request)
        return Answer(Outcome.DONE, f"version {version} is champion again", version)

    def _dismiss(self, request: Request) -> Answer:
        version, challenger = _number(request.body.get("version")), self.registry.resolve(Alias.CHALLENGER)
        if challenger is not None and version in {None, challenger.version}:
            self.registry.drop_alias(Alias.CHALLENGER)
        return Answer(Outcome.DONE, "no version shadows the champion any more", version)

    async def _was_done(self, kind: RoleChange, version: int, request: Request) -> bool:
        """Whether this very request was carried out; since then people may have decided otherwise."""
        event = await self.journal.newest([kind], f"version {version}")
        return event is not None and event.details.get("request") == request.subject

    def _obstacle(self, request: Request, version: int) -> str | None:
        """Why a comparison with a champion of before says nothing about the one of now."""
        compared, champion = _number(request.body.get("champion")), self.registry.resolve(Alias.CHAMPION)
        if champion is None or compared is None or champion.version in {compared, version}:
            return None
        return f"version {champion.version} is champion now; the comparison was with version {compared}"


def order_of(request: Request) -> TrainingOrder:
    """What a request for a training says. Its times are minutes of event time."""
    body = request.body
    exclude = tuple((moment(first), moment(until)) for first, until in _spans(body.get("exclude")))
    as_of, since_break = (_number(body.get(name)) for name in ("as_of", "since_break"))
    return TrainingOrder(
        request.reason,
        request.subject,
        None if as_of is None else moment(as_of),
        None if since_break is None else moment(since_break),
        exclude,
    )


def _spans(value: Any) -> list[tuple[int, int]]:  # noqa: ANN401 - from JSON
    return [(int(first), int(until)) for first, until in value or ()]


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _needed(request: Request, name: str) -> int:
    number = _number(request.body.get(name))
    if number is None:
        raise InvalidInput(f"the request for a {request.kind} of {request.subject} does not say which {name}")
    return number
