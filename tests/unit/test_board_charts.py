"""The page Live's numbers from what was sampled: rates, quantiles, lag, errors, the map, the control chart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from api.reads.charts import counted, steps_of, stream_cards, traffic
from api.reads.errors import card_of, reading_of, thinned
from api.reads.lags import Lag
from api.reads.levels import ERROR_RATIO, LAG_SECONDS, LATENCY_P99_SECONDS, error_level, share_level
from api.reads.maps import Limits, area_map, round_up
from api.reads.marks import MOST, marks_of
from api.reads.periods import POINTS, event_span
from api.reads.reigns import champion_at, reigns_of
from api.reads.rings import BUCKETS, Ring, Slot
from api.reads.signals import detail, drift
from domain.entities.models import LifecycleEvent
from domain.entities.watched import AreaSum, AreaSums, ErrorStep, ErrorSteps, Reference, SignalStep

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ring(seconds: int = 100, scored: float = 5.0, from_second: int = 0) -> Ring:
    found = Ring(1000)
    for second in range(from_second, seconds):
        latency = np.zeros(BUCKETS, dtype=np.int64)
        latency[5] = int(scored)
        found.add(
            Slot(
                at=float(second),
                received=2 * scored,
                received_known=1.0,
                scored=scored,
                known=1.0,
                latency=latency,
                lag_events={0: float(second), 4: 1.0},
                lag_seconds=0.5,
            )
        )
    return found


class TestTraffic:
    def test_all_lists_have_the_length_of_times_and_gaps_stay_gaps(self) -> None:
        found = ring(60, from_second=30)
        chart = traffic(steps_of(found.all(), 60.0, 60, 5), found.partitions, [])
        assert chart.times[0] == datetime.fromtimestamp(0, UTC)
        assert len(chart.times) == len(chart.received) == len(chart.partitions["4"]) == 12
        assert chart.received == [None] * 6 + [10.0] * 6
        assert chart.partitions["0"][-1] == 59

    def test_steps_begin_at_the_same_moments_whenever_one_looks(self) -> None:
        first, later = (steps_of(ring().all(), now, 60, 5).since for now in (91.2, 94.9))
        assert first == later == 35

    def test_what_lies_outside_the_steps_does_not_count(self) -> None:
        steps = steps_of(ring(100).all(), 50.0, 10, 5)
        assert steps.rates("scored") == [5.0, 5.0]


class TestCards:
    def test_the_period_is_compared_with_the_one_before(self) -> None:
        both = ring(60)
        for second in range(60, 120):
            both.add(Slot(at=float(second), scored=8.0, known=1.0, lag_events={0: 2.0}, lag_seconds=20.0))
        now, before = both.between(60, 120), both.between(0, 60)
        cards = stream_cards(now, before, steps_of(both.all(), 120, 60, 1), 2.0, Lag(2, 20.0, at_least=True))
        assert (cards.predictions_per_second.value, cards.predictions_per_second.previous) == (8, 5)
        assert (cards.latency_p99_seconds.value, cards.latency_p99_seconds.level) == (None, "unknown")
        assert cards.latency_p99_seconds.previous == pytest.approx(0.015 + 0.005 * 0.99)
        assert (cards.lag_seconds.value, cards.lag_seconds.level, cards.lag_seconds.previous) == (20, "warning", 0.5)
        assert (cards.lag_seconds.at_least, cards.lag_events.at_least) == (True, False)
        assert cards.lag_events.previous == pytest.approx(29.5 + 1)
        assert len(cards.predictions_per_second.spark) == 60

    def test_before_anything_was_seen_all_is_unknown(self) -> None:
        nothing = Ring(10).all()
        cards = stream_cards(nothing, nothing, steps_of(nothing, 100, 60, 1), None, None)
        assert {cards.predictions_per_second.level, cards.lag_seconds.level} == {"unknown"}
        assert cards.predictions_per_second.value is None

    def test_quarantined_of_the_last_hour_and_of_the_one_before(self) -> None:
        counts = {NOON: 3, NOON - timedelta(minutes=59): 2, NOON - timedelta(minutes=60): 7, NOON - timedelta(minutes=121): 9}
        value, before, spark = counted(counts, NOON + timedelta(seconds=30))
        assert (value, before, len(spark), spark[0], spark[-1]) == (5, 7, 60, 2, 3)


class TestLevels:
    @pytest.mark.parametrize(
        ("level", "expected"),
        [
            (LATENCY_P99_SECONDS.level(1.0), "ok"),
            (LATENCY_P99_SECONDS.level(1.1), "warning"),
            (LATENCY_P99_SECONDS.level(10.1), "alarm"),
            (LAG_SECONDS.level(10), "ok"),
            (LAG_SECONDS.level(61), "alarm"),
            (LAG_SECONDS.level(None), "unknown"),
            (share_level(0, 0), "ok"),
            (share_level(3, 0), "unknown"),
            (share_level(10, 1000), "ok"),
            (share_level(11, 1000), "warning"),
            (share_level(101, 1000), "alarm"),
            (error_level(2.5, 2.0), "ok"),
            (error_level(2.6, 2.0), "warning"),
            (error_level(3.1, 2.0), "alarm"),
            (error_level(3.1, None), "unknown"),
            (error_level(None, 2.0), "unknown"),
        ],
    )
    def test_a_colour(self, level: str, expected: str) -> None:
        assert level == expected

    def test_a_warning_comes_before_an_alarm(self) -> None:
        assert all(each.warning < each.alarm for each in (LATENCY_P99_SECONDS, LAG_SECONDS, ERROR_RATIO))


def step(minute: int, settled: int = 10, mae: float = 2.0, *, mature: bool = True, challenger: int = 0) -> ErrorStep:
    error = settled * mae
    return ErrorStep(
        NOON + timedelta(minutes=minute), mature, 2 * settled, settled, error, error * mae, 9, challenger, challenger * 1.0
    )


class TestErrors:
    FOUND = ErrorSteps(
        10,
        NOON + timedelta(minutes=25),
        (step(-10, mae=8.0), step(0), step(10, mae=4.0), step(20, 5), step(20, 15, 1.0, mature=False), step(30, mature=False)),
    )

    def test_the_number_is_of_mature_trips_of_the_period_alone(self) -> None:
        found = reading_of(self.FOUND, NOON, Reference(2.0, 3.0), 4, None)
        assert found.now.mae == pytest.approx((20 + 40 + 10) / 25)
        assert found.before.mae == 8
        card = card_of(found, 700.0)
        assert (card.trips, card.level, card.previous_mae_minutes, card.label_delay_seconds) == (25, "warning", 8, 700)
        assert len(card.spark) == 3

    def test_the_chart_shows_each_step_once_also_the_one_that_maturity_divides(self) -> None:
        series = reading_of(self.FOUND, NOON, None, 4, 5).series
        assert series.times == [NOON + timedelta(minutes=minute) for minute in (0, 10, 20, 30)]
        assert series.trips == [10, 10, 20, 10]
        assert series.mae_minutes[2] == pytest.approx((5 * 2 + 15) / 20)
        assert (series.champion, series.challenger, series.reference_mae_minutes) == (4, 5, None)

    def test_without_settled_trips_there_is_no_error(self) -> None:
        found = reading_of(ErrorSteps(1, None, (step(0, 0, mature=False),)), NOON, None, None, None)
        assert (found.now.mae, found.now.rmse, found.series.mae_minutes, found.series.interval_coverage) == (
            None,
            None,
            [None],
            [None],
        )
        assert card_of(found, None).level == card_of(None, None).level == "unknown"

    def test_the_challengers_error_is_its_own(self) -> None:
        found = reading_of(ErrorSteps(1, None, (step(0, challenger=4),)), NOON, None, 1, 2)
        assert found.series.challenger_mae_minutes == [1.0]

    def test_a_spark_keeps_its_newest_value(self) -> None:
        values: list[float | None] = [float(number) for number in range(200)]
        found = thinned(values)
        assert (len(found), found[0], found[-1]) == (60, 0, 199)


class TestPeriods:
    @pytest.mark.parametrize("hours", [0.01, 2, 26, 50, 24 * 30, 24 * 365 * 8])
    def test_a_chart_has_a_few_hundred_points_at_most(self, hours: float) -> None:
        span = event_span(NOON - timedelta(hours=hours), NOON)
        assert 1 <= span.minutes / span.step_minutes <= POINTS
        assert span.since <= NOON - timedelta(hours=hours)
        assert span.until >= NOON

    def test_steps_begin_at_whole_steps(self) -> None:
        span = event_span(NOON - timedelta(hours=30, seconds=17), NOON + timedelta(seconds=3))
        assert span.step_minutes == 10
        assert (span.since.minute % 10, span.since.second, span.until.minute % 10) == (0, 0, 0)


class TestMap:
    SUMS = AreaSums((AreaSum(3, 120, 1200.0, 100, 250.0), AreaSum(4, 2, 90.0)), (AreaSum(9, 60, 660.0),))

    def test_values_are_a_minute_and_a_trip(self) -> None:
        found = area_map(self.SUMS, 60)
        assert (found.pickups[0].trips_per_minute, found.pickups[0].mean_predicted_minutes) == (2.0, 10.0)
        assert (found.pickups[0].mae_minutes, found.pickups[1].mae_minutes) == (2.5, None)
        assert found.dropoffs[0].trips == 60

    def test_the_scale_is_round_and_does_not_see_cells_with_few_trips(self) -> None:
        assert area_map(self.SUMS, 60).limits == {
            "trips": (0, 2),
            "predicted": (0, 20),
            "error": (0, 5),
        }

    def test_the_scale_stays_while_it_fits(self) -> None:
        before: Limits = {"trips": (0.0, 5.0), "predicted": (0.0, 10.0), "error": (0.0, 50.0)}
        limits = area_map(self.SUMS, 60, before).limits
        assert (limits["trips"][1], limits["predicted"][1], limits["error"][1]) == (5, 20, 5)

    @pytest.mark.parametrize(("value", "expected"), [(0, 1), (0.03, 0.05), (1, 1), (2, 2), (2.1, 5), (50, 50), (51, 100)])
    def test_round_numbers(self, value: float, expected: float) -> None:
        assert round_up(value) == pytest.approx(expected)


def event(kind: str, subject: str, minute: int, **details: object) -> LifecycleEvent:
    return LifecycleEvent(kind, subject, "loop", f"{kind} {minute}", NOON + timedelta(minutes=minute), details)


class TestEvents:
    def test_marks_are_in_order_and_few(self) -> None:
        events = [event("model.promoted", "version 2", 5), event("drift.alarm", "city", 4), event("worker.started", "w", 1)]
        assert [(mark.kind, mark.at.minute) for mark in marks_of(events)] == [("worker", 1), ("model", 5)]
        many = [event("drift.confirmed", "episode", minute) for minute in range(MOST + 20)]
        assert len(marks_of(many)) == MOST
        assert marks_of(many)[-1].at == many[-1].at

    def test_reigns_follow_each_other_without_a_gap(self) -> None:
        changes = [
            event("model.promoted", "version 1", 0, version=1),
            event("model.promoted", "version 2", 10, version=2),
            event("model.rolled_back", "version 1", 20, version=1),
        ]
        reigns = reigns_of(changes)
        assert [(reign.version, reign.how, reign.until and reign.until.minute) for reign in reigns] == [
            (1, "rolled back", None),
            (2, "promoted", 20),
            (1, "promoted", 10),
        ]
        for minute, version in ((-1, None), (0, 1), (10, 2), (19, 2), (20, 1), (10_000, 1)):
            assert champion_at(reigns, NOON + timedelta(minutes=minute)).version == version


def signal(minute: int, value: float | None = 0.1, name: str = "log_ratio", version: int = 1, state: str = "ok") -> SignalStep:
    return SignalStep(NOON + timedelta(minutes=minute), name, value, value, 0.25, state, None, version)


class TestDrift:
    def test_each_signal_has_its_newest_values_and_its_last_alarm(self) -> None:
        steps = [signal(0), signal(5, None, state="warning"), signal(5, name="hour_mix")]
        alarms = [
            event("drift.alarm", "a", 9, signal="log_ratio", event_at="2026-05-01T10:00:00+00:00"),
            event("drift.alarm", "b", 1),
        ]
        found = drift(steps, alarms, "watching", None)
        first, second = found.signals
        assert (first.signal, first.value, first.statistic, first.state) == ("log_ratio", 0.1, None, "warning")
        assert (first.last_alarm_at, first.last_alarm) == (datetime(2026, 5, 1, 10, tzinfo=UTC), "drift.alarm 9")
        assert (second.title, second.unit, second.last_alarm) == ("Hours of the day", "PSI", None)
        assert len(first.times) == len(first.values) == len(first.statistics) == 2

    def test_histograms_compare_values_of_one_version(self) -> None:
        steps = [signal(minute, 5.0, version=1) for minute in range(20)]
        steps += [signal(minute, minute / 100, version=2) for minute in range(20, 100)]
        found = detail("log_ratio", steps, [])
        assert found.histogram is not None
        assert (sum(found.histogram.reference), sum(found.histogram.recent)) == (60, 20)
        assert len(found.histogram.edges) == len(found.histogram.recent) + 1
        assert (found.reference_since, found.recent_since) == (steps[20].event_at, steps[80].event_at)

    def test_too_few_values_make_no_histogram(self) -> None:
        found = detail("log_ratio", [signal(minute) for minute in range(20)], [])
        assert (found.histogram, found.reference_since) == (None, None)

    def test_alarms_of_other_signals_and_of_before_are_left_out(self) -> None:
        at = "2026-05-01T12:03:00+00:00"
        alarms = [
            event("drift.alarm", "a", 9, signal="log_ratio", event_at=at),
            event("drift.alarm", "a", 9, signal="hour_mix", event_at=at),
            event("drift.alarm", "a", 9, signal="log_ratio", event_at="2026-04-01T12:03:00+00:00"),
        ]
        assert detail("log_ratio", [signal(0), signal(5)], alarms).alarms == [datetime.fromisoformat(at)]

    def test_an_unknown_signal_and_state_are_shown_all_the_same(self) -> None:
        found = drift([replace(signal(0, name="new_one"), state="strange")], [], None, None)
        assert (found.signals[0].title, found.signals[0].state) == ("New one", "ok")
