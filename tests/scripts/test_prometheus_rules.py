"""The rules of scripts/deploy and the alerts of scripts/README.md are sound, and name metrics that the workers have."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import workers.app  # noqa: F401 (it loads every metric)

TREE = Path(__file__).parents[2]
RULES = TREE / "scripts/deploy/prometheus/oms-rules.yml"
CASES = Path(__file__).parent / "prometheus/oms-rules-test.yml"
METRIC = re.compile(r"\boms_[a-z_]+\b")
RECORDED = re.compile(r"record: (\S+)")
ALERTS = TREE / "scripts/README.md"
PACKAGE = "apt-get download prometheus"


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> str:
    """Prometheus' own tool: an installed one, or that of Debian's package, which is unpacked and not installed."""
    kept = pytestconfig.cache.mkdir("promtool") / "promtool" if pytestconfig.cache else None
    found = shutil.which("promtool") or (str(kept) if kept is not None and kept.exists() else None)
    if found is not None:
        return found
    folder = tmp_path_factory.mktemp("prometheus")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("promtool is not installed, and there is no apt-get to get it")
    got = subprocess.run(PACKAGE.split(), cwd=folder, check=False, capture_output=True)
    packages = list(folder.glob("prometheus_*.deb"))
    if got.returncode != 0 or not packages:
        pytest.skip(f"promtool could not be got: {PACKAGE}: {got.stderr[-200:]!r}")
    subprocess.run(["dpkg-deb", "-x", packages[0], folder], check=True)
    unpacked = folder / "usr/bin/promtool"
    return str(shutil.move(unpacked, kept)) if kept is not None else str(unpacked)


def exported() -> set[str]:
    """The names of all metrics of a worker or relay."""
    return {name for names in REGISTRY._collector_to_names.values() for name in names}


def test_the_rules_give_the_rates_of_all_workers_together(promtool: str, tmp_path: Path) -> None:
    for file in (RULES, CASES):
        shutil.copy(file, tmp_path)
    for command in (["check", "rules", RULES.name], ["test", "rules", CASES.name]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_name_metrics_that_exist_and_each_rule_has_a_case() -> None:
    rules = RULES.read_text(encoding="utf-8")
    named = {name for name in METRIC.findall(rules) if "oms-" not in name}
    assert named - exported() == set()
    assert len(named) > 10
    recorded, tested = set(RECORDED.findall(rules)), CASES.read_text(encoding="utf-8")
    untested = {"oms:order_create_duration_seconds:p95_rate5m", "oms:message_critical_time_seconds:p95_rate5m"}
    assert {name for name in recorded if name not in tested} == untested


def test_the_alerts_of_the_readme_are_sound_and_name_what_exists(promtool: str, tmp_path: Path) -> None:
    chapter = ALERTS.read_text(encoding="utf-8").partition("## Alerts worth having\n")[2].partition("\n## ")[0]
    cells = [line.split(" | ")[1] for line in chapter.splitlines() if line.startswith("| ")][1:]
    expressions = [expression for cell in cells for expression in re.findall(r"`([^`]+)`", cell)]
    assert len(expressions) > 20
    rules = [{"alert": f"alert_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = tmp_path / "alerts.json"  # which is YAML as well
    file.write_text(json.dumps({"groups": [{"name": "readme", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = set(RECORDED.findall(RULES.read_text(encoding="utf-8")))
    assert set(re.findall(r"`(oms:[a-z_]+:\w+)", chapter)) - recorded == set()
    assert set(re.findall(r"\boms_[a-z_]+\b", chapter)) - exported() == set()
