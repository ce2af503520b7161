"""One `tripcast up` from start to stop."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from rich.console import Console

from cli.settings import StackSettings
from cli.stack.bootstrap import counts, lifecycle_news, mature_error, progress
from cli.stack.folder import DataFolder
from cli.stack.leftovers import reap
from cli.stack.live import LiveLine
from cli.stack.news import News, NewsItem
from cli.stack.once import Drain
from cli.stack.options import UpOptions
from cli.stack.plan import Plan, RoleUnits, make_plan
from cli.stack.role_units import role_units
from cli.stack.screen import Screen, busy
from cli.stack.summary import Summary, summarise
from cli.stack.supervisor import Supervisor
from cli.stack.units import State, Work
from cli.stack.worker_metrics import scrape

LINE_SECONDS = 1.0
ERROR_SECONDS = 5.0
NEWS_SECONDS = 2.0
SHOWN = ("worker", "api", "board")
T = TypeVar("T")


def up(
    settings: StackSettings, folder: DataFolder, options: UpOptions, console: Console, units_of: RoleUnits = role_units
) -> Summary | None:
    """Run the stack until it is told to stop; with `once` until all is drained, and then give the summary.

    Raises StackRunning, PortInUse, PartFailed, InvalidInput.
    """
    options.check()
    with folder.locked(), Screen(console) as screen:
        reaped = reap(folder.marker)
        if reaped:
            screen.say(f"stopped what a killed stack had left running: {', '.join(reaped)}", style="yellow")
        plan = make_plan(settings, folder, options, units_of)
        for note in plan.notes:
            screen.say(note, style="yellow")
        folder.publish(plan.published())
        return _Session(plan, options, screen).run()


class _Session:
    def __init__(self, plan: Plan, options: UpOptions, screen: Screen) -> None:
        self._plan, self._options, self._screen = plan, options, screen
        self._supervisor = Supervisor(plan.units, screen.report)
        self._line = LiveLine()
        self._error = _Latest(lambda: mature_error(plan.addresses), ERROR_SECONDS)
        news = News(lambda after: lifecycle_news(plan.addresses, after))
        self._news = _Latest(news.fresh, NEWS_SECONDS)
        self._told: list[NewsItem] | None = None
        self._next_line = 0.0
        self._addresses_shown = False
        self._began = time.monotonic()

    def run(self) -> Summary | None:
        with self._supervisor.handling_signals():
            try:
                return self._run()
            finally:
                self._screen.say("stopping")
                self._supervisor.stop()
                self._screen.say("stopped; the next start finds its data again")

    def _run(self) -> Summary | None:
        if not self._options.once:
            self._supervisor.run(until=self._show)
            return None
        drain = Drain(self._supervisor.units["source"], lambda: progress(self._plan.addresses))
        self._supervisor.run(until=lambda: self._show() or drain.is_done())
        if self._supervisor.stopping:
            return None
        counted = counts(self._plan.addresses)
        return summarise(self._plan.roles, drain, counted, seconds=time.monotonic() - self._began)

    def _show(self) -> bool:
        """Show what there is to show; false, since showing ends nothing."""
        if not self._addresses_shown and self._is_worth_a_look():
            self._addresses_shown = True
            self._screen.addresses(self._plan.addresses)
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            self._show_line()
        return False

    def _show_line(self) -> None:
        if not self._addresses_shown:
            self._screen.starting(busy(self._plan.units))
            return
        self._tell_news()
        self._line.add(scrape(self._plan.addresses.worker))
        self._screen.line(self._line.text(self._plan.units, self._error.value()))

    def _tell_news(self) -> None:
        latest = self._news.value()
        if latest is not None and latest is not self._told:
            self._told = latest
            for item in latest:
                self._screen.say(item.text, style="yellow" if item.alarming else None)

    def _is_worth_a_look(self) -> bool:
        """Whether everything answers whose address is shown."""
        shown = [self._supervisor.units[name] for name in SHOWN if name in self._supervisor.units]
        return all(unit.state is State.READY for unit in shown)


class _Latest(Generic[T]):
    """The latest result of a slow reading that is repeated in the background; None until there is one."""

    def __init__(self, read: Callable[[], T | None], every_seconds: float) -> None:
        self._read, self._every = read, every_seconds
        self._value: T | None = None
        self._work: Work | None = None
        self._next = 0.0

    def value(self) -> T | None:
        if (self._work is None or self._work.ended()) and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._work = Work(self._refresh)
        return self._value

    def _refresh(self) -> None:
        self._value = self._read()
