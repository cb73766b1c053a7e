"""The dashboards of scripts/deploy are sound, and their panels name metrics and labels that the workers have."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.scripts.alerts import ALERTS, alerts
from tests.scripts.panels import DASHBOARDS, GRAFANA, NAMES, PANELS, expressions
from tests.scripts.promql import DEPLOY, RULES, labels, metrics, unknown

UNITS = {"short", "ops", "s", "percentunit"}


def test_every_dashboard_and_panel_has_an_id_a_title_and_a_unit() -> None:
    assert sorted(file.stem for file in (GRAFANA / "dashboards").iterdir()) == NAMES
    assert {name: board["uid"] for name, board in DASHBOARDS.items()} == {name: f"oms-{name}" for name in NAMES}
    assert len({board["title"] for board in DASHBOARDS.values()}) == len(NAMES)
    for name, board in DASHBOARDS.items():
        for field in ("id", "title"):
            values = [panel[field] for panel in board["panels"]]
            assert len(set(values)) == len(values), (name, field)
    source = (GRAFANA / "provisioning/datasources/oms.yml").read_text(encoding="utf-8")
    for title, panel in PANELS:
        assert panel["title"] and panel["description"], title  # noqa: PT018 (both are texts)
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, title
        assert f"uid: {panel['datasource']['uid']}\n" in source, title


def test_no_panel_covers_another_or_leaves_the_page() -> None:
    for name, board in DASHBOARDS.items():
        places = [panel["gridPos"] for panel in board["panels"]]
        cells = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(cells)) == len(cells), name
        assert max(x for x, _ in cells) < 24, name


def test_every_panel_names_metrics_and_labels_that_exist() -> None:
    for title, panel in PANELS:
        assert panel["targets"], title
        for target in panel["targets"]:
            assert [*unknown(target["expr"])] == [], title
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels(target["expr"]), title
    assert len(set().union(*map(metrics, expressions()))) > 50


def test_prometheus_takes_its_configuration_and_every_expression(promtool: str, tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "panels.json"  # which is YAML as well
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    for name in (RULES, ALERTS, DEPLOY / "prometheus/prometheus.yml"):
        shutil.copy(name, tmp_path)
    for command in (["check", "rules", file.name], ["check", "config", "prometheus.yml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_names_alerts_and_receivers_that_exist() -> None:
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\bOms\w+", text)) - {alert.name for alert in alerts()} == set()
    assert set(re.findall(r"receiver: (\S+)", text)) == set(re.findall(r"- name: (\S+)", text))
