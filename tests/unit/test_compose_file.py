"""What no schema can see of docker-compose.yml: nothing is open, nothing has rights or memory without limit, nothing floats."""

import re
from typing import Any

import pytest
import yaml

from tests.images.compose import FILE, ROOT, filled, services

FIRST_START = {"SECRETS": "./.secrets"}
RAW: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
NAMES = sorted(RAW["services"])
JOBS = {"prepare", "history", "tools"}  # end by themselves, and are judged by how
SERVES_NOTHING = {*JOBS, "source"}
PINNED = re.compile(r"[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def shipped():
    return services(FIRST_START)


@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_ours_or_pinned_to_the_byte(name: str) -> None:
    image = RAW["services"][name]["image"]
    assert image == "${IMAGE:-tripcast:local}" or PINNED.fullmatch(image)


def test_the_base_of_our_image_is_pinned_to_the_byte() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    given = re.search(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)
    assert set(bases) == {"${BASE}"}
    assert given is not None
    assert PINNED.fullmatch(given[1])


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_fenced_in(name: str) -> None:
    service = RAW["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])  # a number, and not root
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "container_name"}
    assert not [place for place in service.get("volumes", []) if "docker.sock" in place]


@pytest.mark.parametrize("name", NAMES)
def test_every_service_has_limits_a_restart_policy_and_a_check_of_its_health(name: str) -> None:
    service = RAW["services"][name]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["restart"] == ("no" if name in JOBS else "unless-stopped")
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["healthcheck"].get("disable", False) is (name in SERVES_NOTHING)
    assert name in SERVES_NOTHING or service["healthcheck"]["test"][0] == "CMD"


def test_only_the_api_and_the_board_are_published_and_on_loopback() -> None:
    published = {name: service.get("ports", []) for name, service in filled(RAW["services"], FIRST_START).items()}
    assert {name: ports for name, ports in published.items() if ports} == {
        "api": ["127.0.0.1:8000:8000"],
        "board": ["127.0.0.1:8050:8050"],
    }


def test_the_way_out_is_for_those_who_need_one() -> None:
    assert RAW["networks"]["back"] == {"internal": True}
    outside = {name for name, service in RAW["services"].items() if service["networks"] != ["back"]}
    assert outside == {"api", "board", "trainer", "alertmanager"}  # two are published, two notify people


def test_what_publishes_grafana_does_so_on_loopback() -> None:
    overlay = filled(yaml.safe_load((ROOT / "deploy/images/grafana.yml").read_text()), {})
    assert {name: service["ports"] for name, service in overlay["services"].items()} == {"grafana": ["127.0.0.1:3000:3000"]}


def test_no_password_is_written_anywhere() -> None:
    text = FILE.read_text() + (ROOT / ".env.example").read_text() + (ROOT / "deploy/images/grafana.yml").read_text()
    assert not re.search(r"://[^/\s@]+:[^/\s@]+@", text)  # none in an address
    values = [
        f"{key}: {value}" for service in RAW["services"].values() for key, value in service.get("environment", {}).items()
    ]
    assert [value for value in values if re.search(r"(PASSWORD|KEY(?!S)|TOKEN)\w*(?<!_FILE): (?!/run/secrets/)", value)] == []


def test_every_secret_is_a_file_of_the_one_folder_and_has_somebody_who_reads_it(shipped) -> None:
    files = {name: secret["file"] for name, secret in filled(RAW["secrets"], FIRST_START).items()}
    assert files == {name: f"./.secrets/{name}" for name in files}
    assert {source for service in shipped.values() for source in service.secrets.values()} == set(files)


def test_the_administrators_password_is_for_the_server_and_prepare_alone(shipped) -> None:
    holders = {name for name, service in shipped.items() if "postgres_password" in service.secrets.values()}
    assert holders == {"postgres", "prepare"}


def test_without_secrets_the_file_says_what_to_do() -> None:
    with pytest.raises(KeyError, match=r"run \./start\.sh once"):
        services({})


def test_everything_starts_after_what_it_needs() -> None:
    needs = {
        name: {needed: how["condition"] for needed, how in service.get("depends_on", {}).items()}
        for name, service in RAW["services"].items()
    }
    assert needs["prepare"].keys() == {"kafka", "postgres"}
    assert all("prepare" in needs[name] for name in ("worker", "trainer", "api", "mlflow", "history", "tools"))
    assert "api" in needs["board"]
    waits = {(needed in JOBS, how) for each in needs.values() for needed, how in each.items()}
    assert waits == {(True, "service_completed_successfully"), (False, "service_healthy")}


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_needs_nothing_of_another_profile(name: str) -> None:
    service = RAW["services"][name]
    profiles = set(service.get("profiles", []))
    for needed in service.get("depends_on", {}):
        assert set(RAW["services"][needed].get("profiles", [])) <= profiles


def test_files_that_are_mounted_exist() -> None:
    places = [place.split(":")[0] for service in RAW["services"].values() for place in service.get("volumes", [])]
    assert [place for place in places if place.startswith("./") and not (ROOT / place).exists()] == []
    assert {place for place in places if not place.startswith("./")} == set(RAW["volumes"])


def test_the_image_gets_what_it_needs_and_nothing_that_is_private() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = re.search(r"^packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages[1])) <= let_in
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"  # all else stays out
    assert not [name for name in let_in if name.startswith((".", "tests", "docs"))]
