"""The alert rules and the dashboard: they name metrics that exist, and each alert fires on what it's for."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection
from django.test import Client
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from operations import metrics
from tests.stage import Stage, graph_error
from whatsapp.tests.factories import inbound, text_message

OPS = Path(__file__).resolve().parents[2] / "ops"
RULES: list[dict[str, Any]] = yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((OPS / "dashboard.json").read_text(encoding="utf-8"))
ENDINGS = {"gauge": [], "counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
QUERIES = [
    *(rule["expr"] for rule in RULES),
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())),
]
TOKEN = "metrics-token-of-the-test"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing (Debian: apt install prometheus)")


@pytest.fixture(autouse=True)
def token(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 0)


def scrape() -> list[Metric]:
    response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    return list(text_string_to_metric_families(response.content.decode()))


def promtool(*arguments: str | Path) -> None:
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], cwd=OPS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_metric_that_rules_and_dashboard_name_exists(stage: Stage, settings: Any) -> None:
    stage.converse(inbound(text_message("Hello")))  # so that there's a reply's time, and so on
    labels: dict[str, set[str]] = {}  # by metric; none if it has no samples yet
    for family in scrape():
        for ending in ("", *ENDINGS[family.type]):
            labels[family.name + ending] = set()
        for sample in family.samples:
            labels[sample.name] |= set(sample.labels)
    for query in QUERIES:
        assert set(re.findall(r"\bparley_\w+", query)) <= set(labels), query
        for name, selected in re.findall(r"\b(parley_\w+)\{([^}]*)\}", query):
            assert not labels[name] or set(re.findall(r"(\w+)[=!]", selected)) <= labels[name], query
    assert len(QUERIES) > 30


def test_each_alert_says_what_happened_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert all(rule["annotations"][name].endswith(".") for name in ("summary", "action")), rule["alert"]


def test_each_alert_is_tried() -> None:
    tried = re.findall(r'alertname="(\w+)"', (OPS / "alerts_test.yml").read_text(encoding="utf-8"))
    assert sorted(tried) == sorted(rule["alert"] for rule in RULES)


@needs_promtool
def test_promtool_accepts_the_rules_and_each_alert_fires() -> None:
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")


@needs_promtool
def test_the_alerts_fire_on_the_metrics_of_a_broken_installation(stage: Stage, settings: Any, tmp_path: Path) -> None:
    """What /metrics answers before and after goes into Prometheus's own evaluation of the rules."""
    settings.RETRY_TIME_SCALE = 1
    before = scrape()
    stage.wire.graph = lambda body: graph_error(190, 401)
    stage.converse(inbound(text_message("Hello")))  # the reply is held: Meta rejects the token
    Client().post("/api/whatsapp/webhook", b"{", content_type="application/json", headers={"X-Hub-Signature-256": "x"})
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_workers")
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, scheduled_at)"
            " VALUES ('files', 'x', 'x', '{}', 'todo', now() - interval '1 hour')"
        )
    tests = [
        ("18m", ["ParleyNoWorker", "ParleyQueueOverdue", "ParleyQueueStuck", "ParleyTokenRejected"]),
        ("28m", ["ParleyNoWorker", "ParleyQueueOverdue", "ParleyQueueStuck", "ParleySendsHeld"]),
    ]
    expected = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": minutes,
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing],
        }
        for minutes, firing in tests
    ]
    test = {
        "rule_files": [str(OPS / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series(before, scrape()), "promql_expr_test": expected}],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    promtool("test", "rules", tmp_path / "test.yml")


def series(before: list[Metric], after: list[Metric]) -> list[dict[str, str]]:
    """In promtool's notation: for 15 minutes what it was, and then what it is."""

    def values(families: list[Metric]) -> dict[str, str]:
        found = {}
        for sample in (sample for family in families for sample in family.samples):
            labels = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = f"{sample.value:g}"
        return found

    was = values(before)
    return [{"series": key, "values": f"{was.get(key, '_')}x14 {now}x15"} for key, now in values(after).items()]
