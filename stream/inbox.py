"""Signals that have come and are not taken in yet: undecoded, and no more of them than fits."""

import asyncio
from collections import deque

LARGEST_BYTES = 64 * 1024 * 1024


class Inbox:
    """Takes messages while it is open. What does not fit is dropped: the Monitor counts such records again from their rows."""

    def __init__(self, largest_bytes: int = LARGEST_BYTES) -> None:
        self._largest_bytes = largest_bytes
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._open = False
        self.dropped = 0
        self.filled = asyncio.Event()

    def open(self) -> None:
        """Take messages from now on."""
        self._open = True

    def close(self) -> None:
        """Take no more, and forget what is here."""
        self._open = False
        self._messages.clear()
        self._bytes = 0
        self.filled.clear()

    def put(self, message: bytes) -> None:
        """Never waits."""
        if not self._open:
            return
        if self._bytes + len(message) > self._largest_bytes:
            self.dropped += 1
            return
        self._messages.append(message)
        self._bytes += len(message)
        self.filled.set()

    def take(self, most_bytes: int) -> list[bytes]:
        """The oldest messages, of `most_bytes` together unless the first alone is larger."""
        taken: list[bytes] = []
        size = 0
        while self._messages and (not taken or size + len(self._messages[0]) <= most_bytes):
            taken.append(self._messages.popleft())
            size += len(taken[-1])
        self._bytes -= size
        if not self._messages:
            self.filled.clear()
        return taken

    def put_back(self, messages: list[bytes]) -> None:
        """What was taken and is to be taken again, in front of all others."""
        if self._open and messages:
            self._messages.extendleft(reversed(messages))
            self._bytes += sum(map(len, messages))
            self.filled.set()
