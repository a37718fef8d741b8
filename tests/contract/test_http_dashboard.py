"""The dashboard and the alert rules name only what a running service tells, and what they ask is PromQL."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes import PERSON
from tests.promql_kit import PromqlError, read
from tests.serving_kit import TEXT, bearer, key_for
from tests.watched_kit import watched_site

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "yingda.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ASKED = [target["expr"] for panel in PANELS for target in panel["targets"]]
ASKED += [rule["expr"] for rule in RULES]
OF_PROMETHEUS = frozenset({"job", "instance", "pid"})
"""Labels that a scrape adds, or that several processes have."""
RARE = frozenset({"yingda_replies_blocked_total"})
"""What the fakes never do."""


def named(expression: str) -> Any:
    # Grafana puts a value in the place of its variables before it asks
    return read(expression.replace("$__rate_interval", "5m").replace("$job", ".*"))


@pytest.fixture(name="told", scope="module")
def fixture_told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each name that a service in use tells; none yet for what never happened."""
    key = key_for("answer", "classify", "ops")
    with watched_site(tmp_path_factory.mktemp("told"), keys=[key]) as watched:
        client = watched.site.client
        client.post("/v1/answer", json={"text": TEXT})
        for text in (TEXT, PERSON):
            client.post("/v1/answer", json={"text": text, "conversation_id": "c-1"}, headers=bearer(key))
        exposition = client.get("/metrics", headers=bearer(key)).text
    found: dict[str, set[str]] = defaultdict(set, {"up": set()})
    for family in text_string_to_metric_families(exposition):
        if family.type == "counter":
            found[f"{family.name}_total"] |= set()
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


@pytest.mark.parametrize("expression", ASKED)
def test_what_is_asked_is_told(expression: str, told: dict[str, set[str]]) -> None:
    found = named(expression)
    known = set(OF_PROMETHEUS)
    assert found.series or expression == "time()"
    for name, labels in found.series:
        assert name in told, name
        known |= told[name]
        assert labels <= told[name] | OF_PROMETHEUS, name
        assert told[name] or not labels - OF_PROMETHEUS
    assert found.groups <= known or {name for name, _ in found.series} <= RARE


def test_every_metric_of_the_service_is_shown_or_asked_for(told: dict[str, set[str]]) -> None:
    asked = {name for expression in ASKED for name, _ in named(expression).series}
    told_of = {re.sub("_(bucket|sum|count)$", "", name) for name in told if name.startswith("yingda_") and not name.endswith("_created")}
    assert told_of - {re.sub("_(bucket|sum|count)$", "", name) for name in asked} == set()


def test_every_metric_is_documented(told: dict[str, set[str]]) -> None:
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    told_of = {re.sub("_(bucket|sum|count)$", "", name) for name in told if name.startswith("yingda_") and not name.endswith("_created")}
    assert [name for name in sorted(told_of) if f"`{name}`" not in text] == []


def test_names_are_those_of_prometheus(told: dict[str, set[str]]) -> None:
    """Base units and suffixes as https://prometheus.io/docs/practices/naming/ has them."""
    names = [name for name in told if name.startswith("yingda_")]
    assert [name for name in names if re.search("_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", name)] == []
    assert [name for name in names if "_seconds" in name and not re.search("_seconds(_(bucket|sum|count|created))?$", name)] == []


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["uid"] == "yingda" and DASHBOARD["title"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "job"}
    for panel in PANELS:
        assert panel["type"] in {"timeseries", "stat"}
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert re.match("[\u4e00-\u9fff]", panel["title"]) or panel["title"] == "p99", panel["title"]


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_rules_say_how_bad_it_is_in_chinese_first(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    assert rule["annotations"].keys() == {"summary", "description"}
    for text in rule["annotations"].values():
        assert re.match("[\u4e00-\u9fff]", text)
        assert re.search(r"。[A-Z]|。yingda_|[。；].*[a-z]{3,} [a-z]{2,}", text), text
        assert text.count("{{") == text.count("}}")
    docs = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    assert f"`{rule['alert']}`" in docs


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(rate(a[5m])",
        "rate(a)",
        "sum(a[5m])",
        "a b",
        "sum by (le rate(a[5m]))",
        'a{b="c"',
        "a{b=c}",
        "a +",
        "nosuch(a)",
        "a[5 m]",
        "",
        "a]",
    ],
)
def test_what_is_no_promql_is_refused(wrong: str) -> None:
    with pytest.raises(PromqlError):
        read(wrong)
