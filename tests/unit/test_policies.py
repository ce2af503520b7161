"""A policy file: what it leaves out keeps its default, and what is wrong with it is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.files.policies import read_policy
from adapters.river.detectors import RiverDetector
from domain.errors import InvalidInput
from domain.policy import DETECTORS, DetectorSettings, Method, Policy, Signal


def policy(folder: Path, text: str) -> Policy:
    file = folder / "policy.toml"
    file.write_text(text)
    return read_policy(file)


def test_without_a_file_the_default_policy_is_in_force() -> None:
    assert read_policy(None) == Policy()


def test_an_empty_file_is_the_default_policy(tmp_path: Path) -> None:
    assert policy(tmp_path, "") == Policy()


def test_only_what_is_written_changes(tmp_path: Path) -> None:
    read = policy(tmp_path, "[retraining]\ncooldown_hours = 6\n[shadow.test]\nalpha = 0.01\n")
    default = Policy()
    assert read.retraining == replace(default.retraining, cooldown_hours=6.0)
    assert read.shadow.test == replace(default.shadow.test, alpha=0.01)
    assert read.detectors == DETECTORS


def test_a_line_about_a_table_leaves_the_rest_of_it_as_it_is(tmp_path: Path) -> None:
    """Follow-ups have other limits than the trials of drift: those stay."""
    default = Policy().follow_up_shadow
    read = policy(tmp_path, "[follow_up_shadow]\nmost_hours = 96\n").follow_up_shadow
    assert read == replace(default, most_hours=96.0)
    assert read.promote_if_ahead


def test_detectors_are_replaced_as_a_list(tmp_path: Path) -> None:
    read = policy(tmp_path, '[[detectors]]\nsignal = "log_ratio"\nmethod = "adwin"\ndelta = 0.01\n')
    assert read.detectors == (DetectorSettings(Signal.LOG_RATIO, Method.ADWIN, 0.01),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[retrainin]\nx = 1", "did you mean retraining"),
        ("[retraining]\ncooldown = 3", "did you mean cooldown_hours"),
        ('[retraining]\ncooldown_hours = "soon"', "retraining.cooldown_hours"),
        ('[retraining]\napproval = "perhaps"', "automatic or manual"),
        ("[time]\nstep_minutes = 0", "step_minutes"),
        ("[time]\nmaturity_minutes = 7", "multiple"),
        ('[[detectors]]\nsignal = "mood"\nmethod = "adwin"\ndelta = 0.1', "detectors.0.signal"),
        ('[[detectors]]\nsignal = "trip_length"\nmethod = "adwin"\ndelta = 0.1', "log_ratio"),
        ('[[detectors]]\nsignal = "log_ratio"\nmethod = "adwin"\ndelta = 2', "delta"),
        ("[shadow.test]\nalpha = 1.5", "alpha"),
        ("confirmation = []", "confirmation"),
        ("not toml", "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_in_words(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        policy(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.toml"):
        read_policy(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("settings", DETECTORS, ids=lambda each: f"{each.method}-{each.signal}")
def test_every_default_detector_alarms_at_a_change_and_not_before(settings: DetectorSettings) -> None:
    detector = RiverDetector(settings)
    assert detector.statistic is None
    calm = [detector.update(0.01 * (-1) ** number) for number in range(300)]
    assert not any(calm)
    assert any(detector.update(0.5 + 0.01 * (-1) ** number) for number in range(100))


@pytest.mark.parametrize("settings", DETECTORS, ids=lambda each: f"{each.method}-{each.signal}")
def test_an_alarm_is_a_statistic_above_the_threshold_where_there_is_one(settings: DetectorSettings) -> None:
    detector, seen = RiverDetector(settings), []
    for value in [0.01 * (-1) ** number + (0.4 if number > 100 else 0.0) for number in range(300)]:
        alarmed = detector.update(value)
        seen.append((alarmed, detector.statistic))
    assert any(alarmed for alarmed, _ in seen)
    if settings.method is Method.ADWIN:
        assert {statistic for _, statistic in seen} == {None}
    else:
        told = [(alarmed, statistic > settings.threshold) for alarmed, statistic in seen[settings.least_values :] if statistic]
        assert all(alarmed == above for alarmed, above in told)


@pytest.mark.parametrize("settings", DETECTORS, ids=lambda each: f"{each.method}-{each.signal}")
def test_a_detector_fed_again_alarms_at_the_same_places(settings: DetectorSettings) -> None:
    values = [0.01 * (-1) ** number + (0.4 if number % 200 > 100 else 0.0) for number in range(600)]
    one, other = RiverDetector(settings), RiverDetector(settings)
    assert [one.update(value) for value in values] == [other.update(value) for value in values]
