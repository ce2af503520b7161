"""The collector looks seldom, and still finds the cycles that somebody leaves behind."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from stream.garbage import look_seldom


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Node:
    """Something that can be in a cycle."""

    def __init__(self) -> None:
        self.other: object = None


def test_a_batch_of_the_largest_size_is_no_reason_to_look() -> None:
    looks: list[str] = []
    look_seldom()
    gc.callbacks.append(lambda phase, _info: looks.append(phase))
    try:
        batch = [(number, (number,)) for number in range(20_000)]  # 40,000 objects that the collector follows
    finally:
        gc.callbacks.pop()
    assert len(batch) == 20_000
    assert looks == []


def test_what_exists_at_the_start_is_never_looked_at_again() -> None:
    kept = Node()
    look_seldom()
    assert gc.get_freeze_count() > 0
    assert not any(each is kept for each in gc.get_objects())


def test_cycles_that_are_left_behind_are_still_found() -> None:
    look_seldom()
    gone: list[weakref.ref[Node]] = []
    for _ in range(200_000):
        first, second = Node(), Node()
        first.other, second.other = second, first
        if not gone:
            gone.append(weakref.ref(first))
    assert gone[0]() is None
