"""What start.sh makes on a first start: secrets that nobody else has, once, in the form that the system asks for."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from domain.entities.api_keys import key_id_of
from tests.images.compose import FILE, ROOT

NAMES = set(yaml.safe_load(FILE.read_text(encoding="utf-8"))["secrets"])
KEYS = {"operator_key", "board_key"}
NOT_OURS = {"slack_url", "smtp_password"}  # empty until somebody fills them in


@pytest.fixture
def first_start(tmp_path: Path) -> Path:
    for name in ("start.sh", ".env.example"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def start(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """With a path that has no Docker on it."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "od", "tr", "sed", "tail", "cp", "mkdir", "chmod", "mv", "dirname", "grep"):
        found = shutil.which(name)
        assert found is not None
        if not (tools / name).exists():
            (tools / name).symlink_to(found)
    command = [str(tools / "sh"), str(folder / "start.sh"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(tools)})


def secrets_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / ".secrets").iterdir()}


def test_a_first_start_makes_every_secret_of_the_compose_file(first_start: Path) -> None:
    assert start(first_start, "secrets").returncode == 0
    made = secrets_in(first_start)
    assert made.keys() == NAMES
    assert {name for name, value in made.items() if not value} == NOT_OURS
    ours = [value for value in made.values() if value]
    assert len(set(ours)) == len(ours)
    assert all(re.fullmatch(r"[0-9a-f]{48}", made[name]) for name in NAMES - KEYS - NOT_OURS)


def test_its_keys_are_keys_of_the_api(first_start: Path) -> None:
    start(first_start, "secrets")
    made = secrets_in(first_start)
    assert all(key_id_of(made[name]) for name in KEYS)


def test_nobody_else_of_the_machine_can_reach_them(first_start: Path) -> None:
    start(first_start, "secrets")
    assert stat.S_IMODE((first_start / ".secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((first_start / ".env").stat().st_mode) & 0o077 == 0


def test_a_second_start_replaces_nothing_and_adds_what_is_missing(first_start: Path) -> None:
    start(first_start, "secrets")
    before = secrets_in(first_start)
    (first_start / ".secrets" / "api_password").unlink()
    again = start(first_start, "secrets")
    after = secrets_in(first_start)
    assert again.stderr.splitlines() == ["start: made ./.secrets/api_password"]
    assert after.pop("api_password") != before.pop("api_password")
    assert after == before


def test_other_starts_make_other_secrets(first_start: Path, tmp_path: Path) -> None:
    start(first_start, "secrets")
    other = tmp_path / "other"
    other.mkdir()
    for name in ("start.sh", ".env.example"):
        shutil.copy(ROOT / name, other / name)
    start(other, "secrets")
    assert not {value for value in secrets_in(other).values() if value} & set(secrets_in(first_start).values())


def test_without_docker_it_says_what_else_there_is(first_start: Path) -> None:
    told = start(first_start)
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].endswith("without Docker, 'make run' starts the same system")


def test_a_dotenv_without_the_folder_is_told_of(first_start: Path) -> None:
    (first_start / ".env").write_text("API_PUBLISH=127.0.0.1:8000\n")
    told = start(first_start, "secrets")
    assert told.returncode == 1
    assert "SECRETS=./.secrets" in told.stderr


def test_the_script_for_windows_makes_the_same_and_ends_its_lines_as_windows_does() -> None:
    script = (ROOT / "start.bat").read_bytes()
    assert script.count(b"\n") == script.count(b"\r\n")
    loops = re.findall(r"for %%n in \(([^)]*)\)", script.decode())
    assert sorted(name for loop in loops for name in loop.split()) == sorted(NAMES)
