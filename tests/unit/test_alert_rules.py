"""Rules, routes and board name what exists and agree with each other and with the runbook: Prometheus checks none of that."""

import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.reads.levels import ERROR_RATIO, LAG_SECONDS, LATENCY_P99_SECONDS, QUARANTINED_SHARE
from tests.expositions import ROLES, sample_names
from tests.expressions import MONITORING, QUERY, alerts, metrics_of, panels, queries, recorded
from tests.programs import needed
from tests.running import REPOSITORY

OURS = set().union(*map(sample_names, ROLES))
OF_PROMETHEUS = {"up", "ALERTS"}
ELSEWHERE = ("prometheus_", "alertmanager_")  # of the programs themselves: the live test finds them there
TESTED = [case for path in sorted(MONITORING.glob("tests/*.yml")) for case in yaml.safe_load(path.read_text())["tests"]]
ROUTES = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('sum by (le) (rate(a_bucket{le="0.1",x=~"{b}"}[5m])) / a:b:c', {"a_bucket", "a:b:c"}),
        ("max(a and b >= 300) / max(c > 0) unless on () d offset 6h", {"a", "b", "c", "d"}),
        ("time() - 5e8 > 1.5 * count(count by (version) (x_info))", {"x_info"}),
        ("sum(rate({__name__='a'}[1m])) or vector(0)", set()),
    ],
)
def test_metrics_are_found_in_an_expression(expression: str, found: set[str]) -> None:
    assert metrics_of(expression) == found


@pytest.mark.parametrize("place", queries())
def test_every_query_names_metrics_that_somebody_exports(place: str) -> None:
    named = {name for name in metrics_of(queries()[place]) if not name.startswith(ELSEWHERE)}
    assert named - OURS - recorded() - OF_PROMETHEUS == set()


def test_what_is_recorded_is_used_more_than_once() -> None:
    """An expression that one place needs stands there."""
    everything = [name for expression in queries().values() for name in metrics_of(expression)]
    assert [name for name in recorded() if everything.count(name) < 2] == []


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_urgent_it_is_what_was_measured_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert "for" in rule
    texts: dict[str, str] = rule["annotations"]
    assert texts.keys() == {"summary", "description", "runbook_url"}
    assert texts["runbook_url"] == f"runbook.html#{name.lower()}"
    assert "$value" in texts["description"] or "$labels.instance" in texts["description"] or QUERY.search(texts["description"])


def test_every_alert_has_a_section_in_the_runbook_and_no_section_is_left_over() -> None:
    headings = re.findall(r"^### (\S+)$", (REPOSITORY / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(alerts())
    assert len(headings) == len({heading.lower() for heading in headings})


@pytest.mark.parametrize("name", alerts())
def test_every_alert_is_seen_to_fire_and_to_stay_quiet(name: str) -> None:
    looks = [look for case in TESTED for look in case["alert_rule_test"] if look["alertname"] == name]
    assert any(look["exp_alerts"] for look in looks)
    quiet = [case for case in TESTED if all(not look["exp_alerts"] for look in case["alert_rule_test"])]
    assert name == "Watchdog" or any(look["alertname"] == name for case in quiet for look in case["alert_rule_test"])


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("EventToRowSlow", LATENCY_P99_SECONDS.warning),
        ("EventToRowVerySlow", LATENCY_P99_SECONDS.alarm),
        ("LagHigh", LAG_SECONDS.alarm),
        ("QuarantineShareHigh", QUARANTINED_SHARE.warning),
        ("QuarantineShareVeryHigh", QUARANTINED_SHARE.alarm),
        ("ModelErrorHigh", ERROR_RATIO.warning),
        ("ModelErrorVeryHigh", ERROR_RATIO.alarm),
    ],
)
def test_alerts_and_the_boards_colours_have_the_same_limits(name: str, limit: float) -> None:
    assert float(alerts()[name]["expr"].rpartition(">")[2]) == limit


def test_who_inhibits_and_is_inhibited_exists() -> None:
    for rule in ROUTES["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            _, pattern = re.fullmatch(r'alertname(=~?)"(.+)"', matcher).groups()  # type: ignore[union-attr]
            for name in pattern.split("|"):
                assert any(re.fullmatch(name, alert) for alert in alerts()), name


def test_without_receivers_both_configurations_of_alertmanager_are_one() -> None:
    quiet = yaml.safe_load((MONITORING / "alertmanager.quiet.yml").read_text())
    assert (quiet["route"], quiet["inhibit_rules"]) == (ROUTES["route"], ROUTES["inhibit_rules"])
    assert [each["name"] for each in quiet["receivers"]] == [each["name"] for each in ROUTES["receivers"]]
    assert all(each.keys() == {"name"} for each in quiet["receivers"])


def test_no_secret_stands_in_a_file() -> None:
    words = [line for path in MONITORING.rglob("*.yml") for line in path.read_text().splitlines() if "tests" not in path.parts]
    assert not [line for line in words if re.search(r"(password|api_url|credentials|key):\s*\S", line)]
    assert ROUTES["global"]["slack_api_url_file"].startswith("/run/secrets/")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "WorkerDown", "severity": "page"}, "page"),
        ({"alertname": "LagHigh", "severity": "ticket"}, "ticket"),
        ({"alertname": "Watchdog", "severity": "page"}, "watchdog"),
        ({"alertname": "Unheard"}, "ticket"),
    ],
)
@pytest.mark.parametrize("config", ["alertmanager.yml", "alertmanager.quiet.yml"])
def test_alerts_find_their_receiver(config: str, labels: dict[str, str], receiver: str) -> None:
    needed("amtool", package="prometheus-alertmanager")
    told = [f"{name}={value}" for name, value in labels.items()]
    command = ["amtool", "config", "routes", "test", f"--config.file={MONITORING / config}", *told]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [receiver]


def test_every_query_of_the_board_can_be_read_by_prometheus(tmp_path: Path) -> None:
    needed("promtool", package="prometheus")
    rules = [{"record": f"query:{number}", "expr": expression} for number, expression in enumerate(queries().values())]
    (path := tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_kubernetes_gets_every_file() -> None:
    component = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    given = {name for each in component["configMapGenerator"] for name in each["files"]}
    patterns = ("*.yml", "rules/*", "templates/*", "grafana/provisioning/*/*", "grafana/dashboards/*")
    assert given == {str(path.relative_to(MONITORING)) for pattern in patterns for path in MONITORING.glob(pattern)}


# --- the board --------------------------------------------------------------------------------------------------------


def test_panels_have_their_own_numbers_and_places() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    assert not [(one["title"], other["title"]) for one, other in combinations(panels(), 2) if overlap(one, other)]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two panels share a cell of the grid."""
    a, b = one["gridPos"], other["gridPos"]
    return bool(a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


@pytest.mark.parametrize("panel", [panel for panel in panels() if panel["type"] != "row"], ids=lambda panel: panel["title"])
def test_a_panel_has_a_unit_the_provisioned_source_and_a_way_to_the_runbook(panel: dict[str, Any]) -> None:
    sources = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])} == {sources[0]["uid"]}
    anchor = panel["links"][0]["url"].partition("runbook.html#")[2]
    assert anchor in {name.lower() for name in alerts()}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) >= 1


def test_every_row_has_panels() -> None:
    kinds = [panel["type"] == "row" for panel in panels()]
    assert kinds[0]
    assert not any(one and other for one, other in zip(kinds, [*kinds[1:], True], strict=True))
