"""The workflows hold nothing that is proven in the cloud alone: every step is a make target or a command that exists here."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import COMMANDS, app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
NAMES = ("ci", "model", "release", "retrain")
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")
OURS = re.compile(r"uses: \./\.github/workflows/\w+\.yml( #.*)?$")
MAKEFILES = "\n".join(path.read_text() for path in [ROOT / "Makefile", *(ROOT / "make").glob("*.mk")])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILES, re.MULTILINE))
# What only a runner needs: programs of Debian, and the end of the job that sums up the others.
SET_UP = re.compile(r"sudo apt-get update -qq && sudo apt-get install -y -qq [a-z -]+|exit 1")


class Step(NamedTuple):
    workflow: str
    job: str
    step: dict[str, Any]


def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    return found


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in NAMES:
        for job, about in workflow(name)["jobs"].items():
            yield name, job, about


def runs() -> list[Step]:
    return [Step(name, job, step) for name, job, about in jobs() for step in about.get("steps", []) if "run" in step]


def test_these_are_all_the_workflows() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize(
    "run", [pytest.param(step.step["run"], id=f"{step.workflow}-{step.job}-{n}") for n, step in enumerate(runs())]
)
def test_every_step_is_a_make_target_or_a_command_of_tripcast(run: str) -> None:
    assert "${{" not in run, "an expression in a script is code that somebody else writes; hand it over in env"
    if SET_UP.fullmatch(run):
        return
    words = shlex.split(run)
    if words[0] == "make":
        assert words[1] in TARGETS, f"make has no {words[1]}"
        assert all("=" in word for word in words[2:]), "one target a step, so that a failure has a name"
        return
    assert words[0] == ".venv/bin/tripcast", f"{words[0]} is neither make nor tripcast"
    assert words[1] in COMMANDS
    told = CliRunner().invoke(app, [words[1], "--help"]).output
    for option in (word for word in words[2:] if word.startswith("--")):
        assert option in told, f"tripcast {words[1]} has no {option}"


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(name: str) -> None:
    lines = [line.strip().removeprefix("- ") for line in (FOLDER / f"{name}.yml").read_text().splitlines()]
    used = [line for line in lines if line.startswith("uses: ")]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line) and not OURS.fullmatch(line)] == []


def test_the_same_action_has_the_same_pin_everywhere() -> None:
    found = re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", "\n".join((FOLDER / f"{name}.yml").read_text() for name in NAMES))
    assert len({action for action, _ in found}) == len(set(found))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_allowed_but_what_a_job_names(name: str) -> None:
    about = workflow(name)
    assert about["permissions"] == {}
    assert about["concurrency"]["group"]
    for job in about["jobs"].values():
        assert "permissions" in job
        assert "uses" in job or 0 < job["timeout-minutes"] <= 120
        for step in job.get("steps", []):
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_only_these_jobs_may_write() -> None:
    writing = {
        (name, job, what) for name, job, about in jobs() for what, level in about["permissions"].items() if level == "write"
    }
    signs = {("release", job, what) for job in ("wheel", "image") for what in ("id-token", "attestations")}
    assert writing == {("model", "comment", "pull-requests"), ("release", "release", "contents"), *signs}


def test_secrets_are_read_in_environments_alone() -> None:
    reading = {(name, job) for name, job, about in jobs() if "secrets." in yaml.safe_dump(about)}
    assert reading == {("model", "production"), ("retrain", "retrain"), ("retrain", "alert"), ("release", "image")}
    assert all("environment" in about for name, job, about in jobs() if (name, job) in reading)


def test_the_last_job_waits_for_every_other_one() -> None:
    found = workflow("ci")["jobs"]
    assert set(found["required"]["needs"]) == found.keys() - {"required"}
    assert found["required"]["if"] == "always()"


def test_the_tests_run_on_every_python_that_the_package_allows() -> None:
    found = workflow("ci")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert found == ["3.11", "3.12", "3.13"]
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()


def test_the_model_gate_looks_at_every_change_that_can_change_a_model() -> None:
    watched = workflow("model")[True]["pull_request"]["paths"]  # YAML reads the key `on` as true
    for folder in ("domain", "batch", "adapters/onnx", "deploy/model"):
        assert f"{folder}/**" in watched
    assert all((ROOT / path.removesuffix("/**")).exists() for path in watched)


def test_production_is_reached_from_main_by_hand_alone_and_only_past_the_gate() -> None:
    condition = workflow("model")["jobs"]["production"]["if"]
    assert "github.event_name == 'workflow_dispatch'" in condition
    assert "github.ref == 'refs/heads/main'" in condition
    assert "needs.gate.result == 'success'" in condition
    assert workflow("model")["jobs"]["production"]["environment"] == "production"


def test_no_registry_of_images_is_named() -> None:
    login = next(step for step in workflow("release")["jobs"]["image"]["steps"] if "login-action" in str(step.get("uses")))
    assert login["with"]["registry"] == "${{ vars.REGISTRY }}"
