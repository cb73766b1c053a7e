"""The rules and alerts of scripts/deploy are sound, name what the workers measure, and are in the README."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.scripts.alerts import alerts
from tests.scripts.promql import DEPLOY, labels, metrics, recorded, unknown

README = DEPLOY.parent / "README.md"
CASES = Path(__file__).parent / "prometheus"


def test_what_the_readme_has_someone_type_finds_the_rules_sound_and_the_alerts_in_time(promtool: str) -> None:
    typed = re.findall(r"^(promtool .+?)\s+#", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [line.split()[1] for line in typed] == ["check", "test"]
    for line in typed:
        words = [*map(str, CASES.glob("*.yml"))] if line.endswith("*.yml") else line.split()[-1:]
        command = [promtool, *line.split()[1:3], *words]
        done = subprocess.run(command, cwd=README.parents[1], check=False, capture_output=True, text=True)
        assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stdout + done.stderr


def test_the_rules_name_metrics_that_exist_and_each_rule_has_a_case() -> None:
    assert {name: wrong for name, expression in recorded().items() if (wrong := [*unknown(expression)])} == {}
    assert len(set().union(*map(metrics, recorded().values()))) > 10
    tested = (CASES / "oms-rules-test.yml").read_text(encoding="utf-8")
    untested = {"oms:order_create_duration_seconds:p95_rate5m", "oms:message_critical_time_seconds:p95_rate5m"}
    assert {name for name in recorded() if name not in tested} == untested


def test_the_alerts_name_metrics_and_labels_that_exist() -> None:
    assert {alert.name: wrong for alert in alerts() if (wrong := [*unknown(alert.expression)])} == {}
    for alert in alerts():
        assert alert.severity in ("page", "ticket"), alert.name
        assert set(re.findall(r"\$labels\.(\w+)", alert.summary)) - labels(alert.expression) == set(), alert.name


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("max(oms_outbox_relay) < 1", "oms_outbox_relay"),
        ('oms_consumers{queues="stock"} == 0', "oms_consumers{queues}"),
        ("sum by (queue, provider) (oms_consumers)", "by (provider)"),
        ("max by (carrier) (oms:payments_failure:ratio_rate1h)", "by (carrier)"),
    ],
)
def test_a_name_that_does_not_exist_is_found(expression: str, wrong: str) -> None:
    assert [*unknown(expression)] == [wrong]


def test_the_readme_lists_each_alert_with_its_expression_and_its_page() -> None:
    chapter = README.read_text(encoding="utf-8").partition("## Alerts worth having\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in chapter.splitlines() if line.startswith("| ")][1:]
    listed = [(row[1].split("`")[1], *re.findall(r"\(deploy/(.+)\)", row[3])) for row in rows]
    assert sorted(listed) == sorted((alert.expression, alert.page) for alert in alerts())
    assert set(re.findall(r"`(oms:[a-z_]+:\w+)", chapter)) - recorded().keys() == set()
