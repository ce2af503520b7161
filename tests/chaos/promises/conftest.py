"""Each promise is a test with a report: the short ones run in `make test`, all of them in full in `make chaos`."""

import json
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict

import pytest

from tests.chaos.report import PROPERTY, Report

FULL = os.environ.get("CHAOS") == "full"
PASSED = pytest.StashKey[bool]()
SKIPPED = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make chaos` runs; CHAOS_ONLY names one promise."""
    only = os.environ.get("CHAOS_ONLY")
    left_out = [item for item in items if _left_out(item.get_closest_marker("promise"), only)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _left_out(promise: pytest.Mark | None, only: str | None) -> bool:
    if promise is None:
        return False
    return only not in {None, str(promise.args[0])} if FULL else not promise.kwargs.get("short", False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    promise = item.get_closest_marker("promise")
    if report.skipped and call.excinfo and promise:
        item.stash[SKIPPED] = str(call.excinfo.value)
        if "report" not in getattr(item, "funcargs", {}):  # a mark skipped it: no fixture is going to write its line
            _write(item, Report(promise.args[0], FULL))
    return report


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """To be filled by the test; written down whether it passes or fails."""
    [promise] = request.node.get_closest_marker("promise").args
    report = Report(promise, FULL)
    began = time.monotonic()
    yield report
    report.duration_s = round(time.monotonic() - began, 1)
    _write(request.node, report)


def _write(item: pytest.Item, report: Report) -> None:
    report.held = item.stash.get(PASSED, False)
    report.skipped = item.stash.get(SKIPPED, "")
    plain = json.loads(json.dumps(asdict(report), default=float))  # numpy's numbers cannot travel between test processes
    item.user_properties.append((PROPERTY, plain | {"test": item.name}))
