"""docs/api.md against the program: its routes, its problems, its example and its settings are the real ones."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import problems
from api.bootstrap import create_app
from api.checks import NEEDED, USED
from api.settings import ApiSettings
from schemas.http.predictions import Prediction, PredictionRequest
from schemas.http.problems import Problem

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs" / "api.md").read_text()
NOWHERE = {"database": "postgresql://nobody@127.0.0.1:1/none", "kafka": "127.0.0.1:1", "mlflow": "http://127.0.0.1:1"}
SLUG = re.compile(r'\b[45]\d\d, "([a-z-]+)"')


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(ApiSettings.model_validate(NOWHERE)).openapi()


def _column(pattern: str) -> set[str]:
    return set(re.findall(pattern, TEXT, re.MULTILINE))


def test_every_route_is_in_the_table_and_no_other(document: dict[str, Any]) -> None:
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert _column(r"^\| `((?:GET|POST) [^`]+)` \|") == routes


def test_every_problem_that_the_code_names_is_in_the_table() -> None:
    sources = "".join(path.read_text() for path in (REPOSITORY / "api").rglob("*.py"))
    named = set(SLUG.findall(sources)) | {slug for _, slug, _ in problems.STATUSES.values()} | set(problems.SLUGS.values())
    # Never answered by this API: no route of ours leads to the framework's own words for them.
    named -= {"internal", "bad-request", "unsupported-media-type"}
    assert _column(r"^\| \d{3} \| `([a-z-]+)` \|") == named


def test_every_status_of_the_openapi_document_is_in_the_table(document: dict[str, Any]) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    promised = {status for operation in operations for status in operation["responses"] if int(status) >= 400}
    assert promised <= _column(r"^\| (\d{3}) \| `")


def test_every_check_is_in_the_table_with_its_weight() -> None:
    assert _column(r"^\| `(\w+)` \| yes \|") == set(NEEDED)
    assert _column(r"^\| `(\w+)` \| no \|") == set(USED)


def test_every_limit_in_the_table_is_a_setting() -> None:
    named = _column(r"^\| `TRIPCAST_(\w+)` \|")
    assert named
    assert {name.lower() for name in named} <= set(ApiSettings.model_fields)


def test_the_example_is_a_request_that_the_rules_accept_and_an_answer_of_the_contract() -> None:
    (asked,) = re.findall(r"-d '(\{.*?\})'", TEXT, re.DOTALL)
    request = msgspec.json.decode(asked.encode(), type=PredictionRequest)
    rules = ApiSettings.model_validate(NOWHERE).rules()
    inside = rules.area
    assert inside.south < request.pickup.latitude < inside.north
    assert inside.west < request.dropoff.longitude < inside.east
    answered, problem = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert msgspec.json.decode(answered.encode(), type=Prediction).interval.coverage == 0.9
    assert msgspec.json.decode(problem.encode(), type=Problem).status == 422
    assert set(json.loads(answered)) == set(Prediction.__struct_fields__)
