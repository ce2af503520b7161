"""What the supervisor runs: parts and roles, each with what it needs, in the states that it goes through."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from threading import Thread

from cli.embedded.part import Part

LONGEST_BACKOFF_SECONDS = 30.0
PROVEN_SECONDS = 60.0  # alive that long, a process has earned a fresh count of its deaths


def nothing() -> None:
    """A unit without preparation or completion."""


def always() -> bool:
    """A unit that waits for nothing but what it needs."""
    return True


class State(Enum):
    """Where a unit is."""

    WAITING = "waiting"  # for what it needs
    PREPARING = "preparing"
    STARTING = "starting"
    COMPLETING = "completing"
    READY = "ready"
    RESTING = "resting"  # after a death, before the next start
    ENDED = "ended"  # by itself, with success


@dataclass
class Unit:
    """One supervised process.

    `lasts`: it should run for ever, and is started again when it dies; otherwise it is a step that ends with exit code 0.
    `may_start` is a condition beyond `needs`, asked again until it holds. `prepare` and `complete` run in a thread, once.
    """

    name: str
    part: Callable[[], Part]
    needs: tuple[str, ...] = ()
    lasts: bool = True
    doing: str = ""
    prepare: Callable[[], None] = nothing
    complete: Callable[[], None] = nothing
    may_start: Callable[[], bool] = always
    finished: Callable[[], None] = nothing  # when a step has ended with success
    state: State = State.WAITING
    running: Part | None = None
    deaths: int = 0  # in quick succession; decides how long to rest
    failures: int = 0  # in a row before becoming ready; decides when to give up
    since: float = 0.0  # monotonic: when the state was entered
    prepared: bool = False
    completed: bool = False
    work: "Work | None" = field(default=None, repr=False)

    def enter(self, state: State, now: float) -> None:
        """Change the state."""
        self.state, self.since = state, now

    def serves(self) -> bool:
        """Whether others may rely on it: a lasting unit that is ready, a step that has ended."""
        return self.state is (State.READY if self.lasts else State.ENDED)

    def backoff_seconds(self) -> float:
        """How long to rest after the latest death."""
        return float(min(LONGEST_BACKOFF_SECONDS, 0.5 * 2 ** max(0, self.deaths - 1)))


class Work:
    """A function in a daemon thread: a Ctrl-C does not have to wait for a download."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._function = function
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def ended(self) -> bool:
        """Whether it has ended, well or not."""
        return not self._thread.is_alive()

    def done(self) -> bool:
        """Whether it has ended. Raises what the function raised."""
        if self._thread.is_alive():
            return False
        if self.error is not None:
            raise self.error
        return True

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as error:  # noqa: BLE001 - raised again by done(), in the thread that waits
            self.error = error
