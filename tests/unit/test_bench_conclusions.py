"""What the benchmarks conclude from what they measured: rates, ratios, percentiles, slopes."""

import itertools

import numpy as np
import pytest

from benchmarks.scale import outage
from benchmarks.scale.workers import evenly
from benchmarks.stream import latency
from benchmarks.stream.conclusion import Rounds, details, results
from benchmarks.stream.ours import Measured
from benchmarks.stream.rate import Commits


def test_a_rate_counts_what_came_after_the_first_commit() -> None:
    moments = itertools.count(start=10.0, step=2.0)
    commits = Commits(lambda: next(moments))
    for events in (900, 100, 300):
        commits.add(events)
    assert commits.rate() == {"events": 400, "seconds": 4.0, "commits": 3, "events_per_second": 100.0}
    assert commits.events == 1300


def test_one_commit_has_no_rate() -> None:
    commits = Commits()
    commits.add(5)
    with pytest.raises(ValueError, match="1 commits"):
        commits.rate()


def _rounds() -> Rounds:
    def rounds(*rates: float) -> list[Measured]:
        return [Measured(rate, 300 + number, {"write": 1.0 + number}, 50) for number, rate in enumerate(rates)]

    return Rounds(
        ours=rounds(900, 1000, 1200),
        with_challenger=rounds(450, 900, 600),
        bare_loop=[1000, 1000, 600],
        rivals={"quix": [{"events_per_second": 100.0}, {"events_per_second": 300.0}, {"events_per_second": 200.0}]},
        stock_faust=[12.0],
        latency={1000: {"p50": 1.0, "p99": 2.0, "p999": 3.0, "max": 4.0}},
    )


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    found = results(_rounds())
    assert found["vs_bare_loop"] == 1.0
    assert found["with_challenger"] == 0.5
    assert found["vs_quix"] == 6.0
    assert found["quix_events_per_second"] == 200
    assert found["events_per_second"] == 1000


def test_a_side_of_fewer_rounds_is_compared_with_our_last_ones() -> None:
    assert results(_rounds())["vs_stock_faust"] == 100


def test_latency_has_a_name_for_each_rate_and_the_largest_memory_counts() -> None:
    found = results(_rounds())
    assert [found[f"{name}_ms_at_1000"] for name in ("p50", "p99", "p999")] == [1.0, 2.0, 3.0]
    assert found["rss_mb"] == 302


def test_the_details_say_how_much_was_shadowed_and_where_the_time_went() -> None:
    found = details(_rounds(), events=100)
    assert [each["share_shadowed"] for each in found["with_challenger"]] == [1.0, 1.0, 1.0]
    assert found["stages"] == {"write": 3.0}
    assert found["latency"] == {"1000": {"p50": 1.0, "p99": 2.0, "p999": 3.0, "max": 4.0}}


def test_percentiles_of_waits() -> None:
    found = latency.percentiles(np.arange(1001.0))
    assert found == {"p50": 500.0, "p99": 990.0, "p999": 999.0, "max": 1000.0, "events": 1001.0}


def test_the_events_of_all_paces_are_warm_up_and_measurement() -> None:
    assert latency.needed({100: 10, 1000: 20}) == 100 * 13 + 1000 * 23


def _standing(*samples: tuple[float, int, int, float]) -> outage.Standing:
    seconds, committed, published, rss = (list(each) for each in zip(*samples, strict=True))
    return outage.Standing(seconds, committed, published, rss)


def test_catching_up_is_counted_from_the_last_moment_without_a_commit() -> None:
    samples = [(1.0, 0, 10_000, 100.0), (2.0, 0, 12_000, 100.0), (3.0, 6_000, 14_000, 150.0), (4.0, 15_900, 16_000, 200.0)]
    found = outage.concluded(_standing(*samples, (5.0, 18_000, 18_000, 201.0)))
    assert found["catch_up_seconds"] == 4.0
    assert found["catch_up_events_per_second"] == pytest.approx(15_900 / 2)
    assert found["rss_mb_per_hour"] == pytest.approx(3600)


def test_a_worker_that_never_catches_up_is_no_result() -> None:
    with pytest.raises(ValueError, match="not caught up after 2 s"):
        outage.concluded(_standing((1.0, 0, 10_000, 1.0), (2.0, 500, 10_000, 1.0)))


@pytest.mark.parametrize(
    ("read", "shared"),
    [
        ([{0, 1, 2}, {3, 4, 5}], True),
        ([{0, 1, 2, 3, 4, 5}], True),
        ([{0, 1, 2, 3, 4, 5}, set()], False),
        ([{0, 1, 2}, {2, 3, 4, 5}], False),
        ([{0, 1, 2}, {3, 4}], False),
    ],
)
def test_partitions_are_shared_when_each_has_one_reader(read: list[set[int]], shared: bool) -> None:
    assert evenly(read) is shared
