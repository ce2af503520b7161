"""docker-compose.yml as Docker Compose reads it: variables filled in, and of each service what a test can run or assert."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<word>[^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `secrets`: file name in /run/secrets and name of the secret; `volumes`: place and source."""

    name: str
    image: str
    command: list[str]
    environment: dict[str, str]
    user: str
    secrets: dict[str, str]
    volumes: dict[str, str]
    tmpfs: list[str]
    health: list[str]
    grace_seconds: float
    raw: Mapping[str, Any]

    @property
    def ours(self) -> bool:
        """Whether it runs our image."""
        return self.image.startswith("tripcast:")


def services(variables: Mapping[str, str], path: Path = FILE) -> dict[str, Service]:
    """Every service of the file. Raises KeyError with the file's own words when a variable that it needs is missing."""
    document = filled(yaml.safe_load(path.read_text(encoding="utf-8")), variables)
    return {name: _service(name, raw) for name, raw in document["services"].items()}


def filled(node: Any, variables: Mapping[str, str]) -> Any:
    """The same with `${NAME:-word}`, `${NAME:?word}` and `$$` replaced."""
    if isinstance(node, dict):
        return {key: filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, variables) for value in node]
    return VARIABLE.sub(lambda found: _value(found, variables), node) if isinstance(node, str) else node


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    value = variables.get(found["name"], "")
    if not value and found["kind"] == "?":
        raise KeyError(found["word"])
    return value or (found["word"] if found["kind"] == "-" else "")


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    secrets = [each if isinstance(each, dict) else {"source": each} for each in raw.get("secrets", [])]
    places = [each.split(":") for each in raw.get("volumes", [])]
    return Service(
        name=name,
        image=raw["image"],
        command=raw.get("command", []),
        environment={key: str(value) for key, value in raw.get("environment", {}).items()},
        user=raw.get("user", ""),
        secrets={str(each.get("target") or each["source"]): str(each["source"]) for each in secrets},
        volumes={place[1]: place[0] for place in places},
        tmpfs=raw.get("tmpfs", []),
        health=raw.get("healthcheck", {}).get("test", [])[1:],
        grace_seconds=float(raw.get("stop_grace_period", "10s").rstrip("s")),
        raw=raw,
    )
