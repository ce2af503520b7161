"""What the API remembers of its last answers: each once."""

import pytest

from api import metrics
from api.metrics import SECONDS_KEPT, Recent


def test_each_answer_counts_once_and_in_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(metrics, "monotonic", lambda: now)
    recent = Recent()
    recent.add("/predict", 0.001, failed=False)
    recent.add("/predict", 0.002, failed=True)
    now = 1002.5
    recent.add("/snapshot", 0.003, failed=False)
    now = 1003.0
    assert recent.answered == 3
    newest = recent.seconds()[-3:]
    assert len(recent.seconds()) == SECONDS_KEPT
    assert [each.seconds for each in newest] == [[0.001, 0.002], [], [0.003]]
    assert [each.by_route for each in newest] == [{"/predict": 2}, {}, {"/snapshot": 1}]
    assert [each.failed for each in newest] == [1, 0, 0]


def test_a_minute_later_only_the_count_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(metrics, "monotonic", lambda: now)
    recent = Recent()
    recent.add("/predict", 0.001, failed=False)
    now += SECONDS_KEPT + 1
    assert (recent.answered, [each.seconds for each in recent.seconds() if each.seconds]) == (1, [])
