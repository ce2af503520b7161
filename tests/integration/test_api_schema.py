"""The service keeps its OpenAPI document: whatever it is asked, no undocumented answer and no 5xx but a 503 that says why."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import checks

from adapters.environment.settings import PostgresSettings
from adapters.postgres.api.keys import ApiKeys
from adapters.postgres.connection.pool import open_pool
from domain.entities.api_keys import new_key
from schemas.http.problems import MEDIA_TYPE
from tests.api_process import start
from tests.running import DEADLINE_SECONDS

EXAMPLES, WITHOUT_KEY = 60, 5
KEPT = ["status_code_conformance", "content_type_conformance", "response_schema_conformance"]
ENOUGH = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


@pytest.fixture
def service(database: str, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a running service, and the headers of its operator."""
    key = new_key()

    async def add() -> None:
        pool = await open_pool(PostgresSettings(database=database))
        await ApiKeys(pool).add(key, "schemathesis", operator=True)
        await pool.close()

    asyncio.run(add())
    api = start(database, tmp_path)
    headers = {"Authorization": f"Bearer {key.token}"}
    try:
        _wait_until_it_knows(f"{api.address}/health", headers)
        yield api.address, headers
    finally:
        api.process.terminate()
        api.process.wait(DEADLINE_SECONDS)
    assert "request_failed" not in api.log.read_text()


def _wait_until_it_knows(address: str, headers: dict[str, str]) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(address, headers=headers).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the service does not start")


def test_every_operation_answers_as_its_document_says(service: tuple[str, dict[str, str]]) -> None:
    address, headers = service
    checks.load_all_checks()
    kept = checks.CHECKS.get_by_names(KEPT)
    document: Any = schemathesis.openapi.from_url(f"{address}/openapi.json")
    tried: list[str] = []
    for result in document.get_all_operations():
        operation = result.ok()
        _try(operation, headers, kept)
        _try(operation, {}, kept, examples=WITHOUT_KEY)
        tried.append(operation.label)
    assert len(tried) == sum(len(methods) for methods in document.raw_schema["paths"].values())
    assert {"POST /predict", "POST /predict/batch", "GET /readyz", "POST /model/reload"} <= set(tried)


def _try(operation: Any, headers: dict[str, str], kept: list[Any], examples: int = EXAMPLES) -> None:
    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(ENOUGH, max_examples=examples)
    def answers_as_documented(case: Any) -> None:
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=kept)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0].startswith(MEDIA_TYPE)

    answers_as_documented()
