"""Servers of one test alone, that can be killed and started again on the same data."""

import os
import signal

from cli.embedded.part import Embedded, Part


class Server:
    """A part of its own for one test, that can be killed and started again on the same data."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded
        embedded.prepare()
        self._part: Part = embedded.part().start()
        embedded.complete()

    def kill(self) -> None:
        """As a crash does: no farewell. PostgreSQL's children end when their parent is gone."""
        assert self._part.process is not None
        os.kill(self._part.process.pid, signal.SIGKILL)
        self._part.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To every process of the server: MLflow's workers outlive it."""
        assert self._part.process is not None
        os.killpg(self._part.process.pid, number)
        if number == signal.SIGKILL:
            self._part.process.wait()

    def start(self) -> None:
        self._part = self._embedded.part().start()

    def stop(self) -> None:
        self._part.stop()
