"""Ids for rows that have none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.content_ids import ContentIds


def ids_of(values: list[int], cuts: list[int]) -> list[str]:
    ids, found = ContentIds("t"), []
    for part in np.split(np.array(values, dtype=np.int64), sorted(cuts)):
        found += ids.of([part]).tolist()
    return found


@given(st.lists(st.integers(0, 5), max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_ids_are_unique_and_do_not_depend_on_how_the_file_is_cut(values: list[int], cuts: list[int]):
    found = ids_of(values, [min(cut, len(values)) for cut in cuts])

    assert found == ids_of(values, [])
    assert len(set(found)) == len(values)
    first_of = {value: found[values.index(value)] for value in values}
    counts: dict[int, int] = {}
    for value, trip_id in zip(values, found, strict=True):
        counts[value] = counts.get(value, 0) + 1
        assert trip_id == first_of[value] + (f"-{counts[value]}" if counts[value] > 1 else "")


def test_ids_of_different_columns_differ():
    a, b = ContentIds("t"), ContentIds("t")
    one, two = np.array([1], dtype=np.int64), np.array([2], dtype=np.int64)

    assert a.of([one, two])[0] != b.of([two, one])[0]


def test_ids_stay_what_they_were_when_the_code_changes():
    assert ContentIds("green").of([np.array([1.5]), np.array(["2025-01-05T12:00:00"], "M8[us]")]).tolist() == [
        "green-5df6dd85abee83eec0f5"
    ]
