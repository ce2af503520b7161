"""The queue before the log: bounded, tried until it is there, flushed at the end, and honest about what it lost."""

import asyncio

import pytest

from tests.serving import TRIP, Api, serving, until


async def _post(api: Api, count: int) -> list[int]:
    answers = await asyncio.gather(*(api.client.post("/predict", json=TRIP) for _ in range(count)))
    return [answer.status_code for answer in answers]


async def test_answers_of_an_outage_are_logged_when_it_is_over() -> None:
    async with serving() as api:
        api.served.down = True
        assert await _post(api, 10) == [200] * 10
        await until(lambda: api.served.tried > 1)
        assert (api.core.queue.waiting, len(api.served.rows)) == (10, 0)
        assert "prediction_log" in api.core.serve.checks.missing()
        api.served.down = False
        await until(lambda: not api.core.queue.waiting)
        assert len(api.served.rows) == 10
        assert "prediction_log" not in api.core.serve.checks.missing()


async def test_a_full_queue_refuses_before_it_answers_and_says_when_to_come_back() -> None:
    async with serving(log_queue=5) as api:
        api.served.gate.clear()
        assert await _post(api, 5) == [200] * 5
        one = await api.client.post("/predict", json=TRIP)
        many = await api.client.post("/predict/batch", json={"trips": [TRIP] * 3})
        assert [one.status_code, many.status_code] == [503, 503]
        assert (one.headers["retry-after"], one.json()["retry_after_seconds"]) == ("2", 2)
        assert "wait to be logged already" in one.json()["detail"]
        api.served.gate.set()
        await until(lambda: not api.core.queue.waiting)
        assert await _post(api, 1) == [200]
        await until(lambda: not api.core.queue.waiting)
    assert len(api.served.rows) == 6


async def test_batches_that_are_scored_at_the_same_time_do_not_overfill_it() -> None:
    async with serving(log_queue=100) as api:
        api.served.gate.clear()
        assert await _post(api, 1) == [200]
        batch = {"trips": [TRIP] * 70}  # more than are scored on the spot
        answers = await asyncio.gather(*(api.client.post("/predict/batch", json=batch) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [200, 503]
        assert api.core.queue.waiting == 71
        api.served.gate.set()


async def test_a_batch_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    async with serving(log_queue=2) as api:
        assert (await api.client.post("/predict/batch", json={"trips": [TRIP] * 8})).status_code == 200
        await until(lambda: len(api.served.rows) == 8)


async def test_a_write_whose_outcome_is_unknown_is_not_doubled() -> None:
    async with serving() as api:
        api.served.forgetful = True
        assert await _post(api, 7) == [200] * 7
        await until(lambda: not api.core.queue.waiting)
        assert (len(api.served.rows), api.served.tried) == (7, 2)
        metrics = (await api.client.get("/metrics")).text
    assert "tripcast_api_log_written_total 7.0" in metrics


async def test_what_waits_at_the_end_is_written_before_the_end() -> None:
    async with serving() as api:
        api.served.gate.clear()
        assert await _post(api, 30) == [200] * 30
        asyncio.get_running_loop().call_later(0.1, api.served.gate.set)
    assert len(api.served.rows) == 30


async def test_what_can_never_be_written_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bootstrap.FLUSH_SECONDS", 0.05)
    async with serving() as api:
        api.served.down = True
        await _post(api, 4)
    assert "tripcast_api_log_lost_total 4.0" in api.core.serve.metrics.exposition().decode()


async def test_rows_that_came_one_by_one_are_written_together_and_in_order() -> None:
    async with serving() as api:
        api.served.gate.clear()
        said = [(await api.client.post("/predict", json=TRIP)).json()["prediction_id"] for _ in range(700)]
        api.served.gate.set()
        await until(lambda: not api.core.queue.waiting)
    assert [key.hex() for key in api.served.rows] == [text.replace("-", "") for text in said]
    assert sum(api.served.writes) == 700
    assert len(api.served.writes) <= 3


async def test_an_idle_queue_still_knows_whether_it_could_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.log_queue.PROBE_SECONDS", 0.02)
    async with serving() as api:
        await until(lambda: "prediction_log" not in api.core.serve.checks.missing())
        api.served.down = True
        await until(lambda: "prediction_log" in api.core.serve.checks.missing())
        api.served.down = False
        await until(lambda: "prediction_log" not in api.core.serve.checks.missing())
