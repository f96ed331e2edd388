"""``deploy/monitoring``: the rules and the dashboard ask for metrics and labels that there are."""

import json
import re
from pathlib import Path

from app.asgi import DOMAINS
from tests.domain.system.test_metrics_reference import documented
from tests.support.each import each

FOLDER = Path(__file__).parents[3] / "deploy/monitoring"
SELECTOR = re.compile(r'([a-z_]+)\{((?:[^{}"]|"[^"]*")*)\}')
OF_PROMETHEUS = {"up": {"role"}}
OF_TARGETS = {"job", "instance", "pid", "le"}
OF_DOMAINS = {"realtime": "realtime_", "webhooks": "webhook_"}
"""Domains that can be taken away, and how the names of their metrics begin."""


@each(["alerts.yml", "alerts_test.yml", "dashboard.json"])
def test_metrics_and_labels_are_known(name: str) -> None:
    text = (FOLDER / name).read_text().replace('\\"', '"')
    known = {metric: labels for metric, (_, labels) in documented().items()} | OF_PROMETHEUS
    gone = tuple(prefix for domain, prefix in OF_DOMAINS.items() if domain not in {each.name for each in DOMAINS})
    found = SELECTOR.findall(text)
    for metric, selectors in found:
        if gone and metric.startswith(gone):
            continue
        metric_name = re.sub(r"_(bucket|count|sum)$", "", metric)
        assert metric_name in known, metric
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors))
        assert labels <= known[metric_name] | OF_TARGETS, f"{metric}: {labels}"
    assert len(found) > 15


def test_each_alert_has_a_test_and_says_what_to_do() -> None:
    rules, tests = ((FOLDER / name).read_text() for name in ("alerts.yml", "alerts_test.yml"))
    alerts = re.findall(r"- alert: (\w+)", rules)

    assert [name for name in alerts if name not in tests] == []
    for word in ("severity:", "summary:", "action:"):
        assert rules.count(word) == len(alerts)


def test_each_panel_has_a_query() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel.get("targets") or panel["type"] == "row" for panel in panels)
    assert all('job="$job"' in query for query in queries)
