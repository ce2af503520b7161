"""The queries of the shipped rules and of the Grafana board, and which metrics they name."""

import json
import re
from functools import cache
from typing import Any

import yaml

from tests.running import REPOSITORY

MONITORING = REPOSITORY / "deploy" / "monitoring"
BOARD = MONITORING / "grafana" / "dashboards" / "tripcast.json"
# What is no metric: strings (whose braces are none), matchers, ranges, lists of labels.
STRING = re.compile(r"""\"[^\"]*\"|'[^']*'""")
NOISE = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
NAME = re.compile(r"(?<![\w:.])([A-Za-z_][\w:]*)(?!\s*\()(?![\w:])")
WORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "inf", "nan"}
QUERY = re.compile(r'query "((?:[^"\\]|\\.)*)"')


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule of every group, in order."""
    files = sorted(MONITORING.glob("rules/*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Those that alert, by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """What recording rules make."""
    return {rule["record"] for rule in rules() if "record" in rule}


@cache
def queries() -> dict[str, str]:
    """Every expression of ours, by where it stands: rules, the queries inside their descriptions, panels."""
    found = {}
    for rule in rules():
        name = rule.get("alert") or rule["record"]
        found[f"rule {name}"] = rule["expr"]
        for text in rule.get("annotations", {}).values():
            found |= {f"text of {name} {number}": query for number, query in enumerate(QUERY.findall(text))}
    for panel in panels():
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


@cache
def panels() -> list[dict[str, Any]]:
    """The board's, rows included."""
    content: list[dict[str, Any]] = json.loads(BOARD.read_text())["panels"]
    return content


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression names."""
    bare = NOISE.sub(" ", STRING.sub(" ", expression))
    return {name for name in NAME.findall(bare) if name.lower() not in WORDS}
