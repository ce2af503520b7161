"""The supervisor with real child processes: order, restarts, refusals, and a stop that leaves nobody behind."""

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.embedded.part import Part
from cli.stack.supervisor import MOST_FAILURES, Supervisor
from cli.stack.units import State, Unit
from domain.errors import InvalidInput, PartFailed

FOREVER = "import signal; signal.pause()"


class Children:
    """Builds units whose processes are small Python programs, and ends all of them afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[tuple[str, State]] = []
        self.supervisor: Supervisor | None = None

    def unit(self, name: str, script: str, ready: Callable[[], bool] = lambda: True, **options) -> Unit:
        def part() -> Part:
            command = [sys.executable, "-c", textwrap.dedent(script)]
            return Part(name, command, log=self.folder / f"{name}.log", ready=ready, deadline_seconds=20)

        return Unit(name, part, **options)

    def supervise(self, *units: Unit) -> Supervisor:
        self.supervisor = Supervisor(units, lambda unit, state: self.seen.append((unit.name, state)))
        return self.supervisor

    def order_of(self, state: State) -> list[str]:
        return [name for name, seen in self.seen if seen is state]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    built = Children(tmp_path)
    yield built
    if built.supervisor:
        built.supervisor.stop()


def pid_of(unit: Unit) -> int:
    assert unit.running is not None
    assert unit.running.process is not None
    return int(unit.running.process.pid)


def test_a_unit_starts_only_when_what_it_needs_serves(children: Children) -> None:
    flag = children.folder / "ready"
    first = children.unit("first", f"open({str(flag)!r}, 'w'); {FOREVER}", ready=flag.exists)
    second = children.unit("second", FOREVER, needs=("first",))
    supervisor = children.supervise(second, first)
    supervisor.run(until=supervisor.all_serve)
    assert children.seen.index(("first", State.READY)) < children.seen.index(("second", State.STARTING))


def test_a_step_that_ends_well_lets_the_others_go_on_and_does_not_run_again(children: Children) -> None:
    count = children.folder / "count"
    step = children.unit("step", f"open({str(count)!r}, 'a').write('x')", lasts=False)
    after = children.unit("after", FOREVER, needs=("step",))
    supervisor = children.supervise(step, after)
    supervisor.run(until=supervisor.all_serve)
    for _ in range(5):
        supervisor.tick()
    assert count.read_text() == "x"


def test_a_need_that_is_not_supervised_is_somebody_elses_and_counts_as_met(children: Children) -> None:
    supervisor = children.supervise(children.unit("worker", FOREVER, needs=("Kafka",)))
    supervisor.run(until=supervisor.all_serve)


def test_a_killed_process_is_started_again(children: Children) -> None:
    unit = children.unit("worker", FOREVER)
    supervisor = children.supervise(unit)
    supervisor.run(until=supervisor.all_serve)
    first = pid_of(unit)
    os.kill(first, signal.SIGKILL)
    supervisor.run(until=lambda: unit.state is State.RESTING)
    supervisor.run(until=supervisor.all_serve)
    assert pid_of(unit) != first


def test_each_death_makes_the_rest_longer_up_to_a_limit() -> None:
    unit = Unit("worker", lambda: pytest.fail("not started here"))
    rests = []
    for unit.deaths in range(1, 12):
        rests.append(unit.backoff_seconds())
    assert rests[:4] == [0.5, 1.0, 2.0, 4.0]
    assert rests[-1] == 30.0


def test_a_process_that_never_becomes_ready_is_given_up_with_its_last_words(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unit, "backoff_seconds", lambda self: 0.0)
    unit = children.unit("worker", "raise SystemExit('the disk is on fire')", ready=lambda: False)
    with pytest.raises(PartFailed, match=rf"worker failed {MOST_FAILURES} times: the disk is on fire"):
        children.supervise(unit).run(until=lambda: False)


def test_a_step_that_is_refused_ends_the_stack_with_the_same_error(children: Children) -> None:
    script = "import sys; print('tripcast: lacks column id', file=sys.stderr); sys.exit(3)"
    with pytest.raises(InvalidInput, match="history: lacks column id"):
        children.supervise(children.unit("history", script, lasts=False)).run(until=lambda: False)


def test_all_processes_end_in_reverse_order_and_so_do_their_children(children: Children) -> None:
    grandchild = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {FOREVER!r}]); {FOREVER}"
    first, second = children.unit("first", FOREVER), children.unit("second", grandchild, needs=("first",))
    supervisor = children.supervise(first, second)
    supervisor.run(until=supervisor.all_serve)
    family = [psutil.Process(pid_of(unit)) for unit in (first, second)]
    supervisor.run(until=lambda: bool(family[1].children()))
    family += family[1].children()
    children.seen.clear()
    supervisor.stop()
    assert children.order_of(State.WAITING) == ["second", "first"]
    psutil.wait_procs(family, timeout=10)
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_the_first_signal_asks_to_stop_and_the_second_kills_who_does_not_listen(children: Children) -> None:
    armed = children.folder / "armed"
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(armed)!r}, 'w'); signal.pause()"
    unit = children.unit("deaf", deaf, ready=armed.exists)
    supervisor = children.supervise(unit)
    with supervisor.handling_signals():
        supervisor.run(until=supervisor.all_serve)
        signal.raise_signal(signal.SIGINT)
        assert supervisor.stopping
        supervisor.run(until=lambda: pytest.fail("a stopping supervisor goes on"))
        assert unit.running is not None
        assert unit.running.running()
        signal.raise_signal(signal.SIGINT)
        assert unit.running.process.wait(timeout=10) == -signal.SIGKILL


def test_an_interrupt_of_the_terminal_reaches_no_child(children: Children) -> None:
    unit = children.unit("worker", FOREVER)
    supervisor = children.supervise(unit)
    supervisor.run(until=supervisor.all_serve)
    assert os.getpgid(pid_of(unit)) != os.getpgid(0)


def test_a_child_that_should_die_with_a_killed_parent_does(children: Children) -> None:
    script = f"""
        import sys, pathlib
        from cli.embedded.part import Part
        log = pathlib.Path({str(children.folder / "child.log")!r})
        part = Part("child", [sys.executable, "-c", {FOREVER!r}], log=log, ready=lambda: True)
        part.spawn()
        pathlib.Path({str(children.folder / "pid")!r}).write_text(str(part.process.pid))
        {FOREVER}
        """
    pid = children.folder / "pid"
    parent = children.unit("parent", script, ready=lambda: pid.exists() and bool(pid.read_text()))
    supervisor = children.supervise(parent)
    supervisor.run(until=supervisor.all_serve)
    child = psutil.Process(int(pid.read_text()))
    os.kill(pid_of(parent), signal.SIGKILL)
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_preparation_and_completion_happen_once_for_all_starts(children: Children) -> None:
    calls: list[str] = []
    unit = children.unit("part", FOREVER, prepare=lambda: calls.append("prepare"), complete=lambda: calls.append("complete"))
    supervisor = children.supervise(unit)
    supervisor.run(until=supervisor.all_serve)
    os.kill(pid_of(unit), signal.SIGKILL)
    supervisor.run(until=lambda: unit.state is State.RESTING)
    supervisor.run(until=supervisor.all_serve)
    assert calls == ["prepare", "complete"]


def test_a_failing_preparation_is_the_stacks_error(children: Children) -> None:
    def prepare() -> None:
        raise PartFailed("no jars")

    with pytest.raises(PartFailed, match="no jars"):
        children.supervise(children.unit("Kafka", FOREVER, prepare=prepare)).run(until=lambda: False)
