"""Requests of the loop in memory, as several trainers would share them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from batch.answer import Answer
from domain.errors import ConcurrentUpdate
from domain.loop.decisions import Request, RequestKind


@dataclass(frozen=True, slots=True)
class OpenRequest:
    request_id: int
    request: Request


@dataclass
class InMemoryRequests:
    """Implements `batch.trainer.Requests`."""

    asked: list[Request] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)

    async def open(self, kinds: Sequence[RequestKind]) -> Sequence[OpenRequest]:
        rows = enumerate(self.asked)
        return [OpenRequest(row, each) for row, each in rows if row not in self.answers and each.kind in kinds]

    @asynccontextmanager
    async def taken(self, request_id: int) -> AsyncIterator[OpenRequest | None]:
        if request_id in self.held:
            raise ConcurrentUpdate("another process is busy")
        self.held.add(request_id)
        try:
            yield None if request_id in self.answers else OpenRequest(request_id, self.asked[request_id])
        finally:
            self.held.discard(request_id)

    async def answer(self, request_id: int, answer: Answer) -> None:
        self.answers.setdefault(request_id, answer)
