"""The alerts of scripts/deploy, read without a library: the file writes each in the same lines."""

import re
from typing import NamedTuple

from tests.scripts.promql import DEPLOY

ALERTS = DEPLOY / "prometheus/oms-alerts.yml"
ALERT = re.compile(
    r"""      - alert: (\w+)
        expr: (.+)
(?:        for: \w+
)?        labels: \{severity: (\w+)\}
        annotations:
          summary: "(.+)"
          runbook: scripts/deploy/(\S+)
"""
)


class AlertRule(NamedTuple):
    """One alert; `page` is the path of its runbook below scripts/deploy."""

    name: str
    expression: str
    severity: str
    summary: str
    page: str


def alerts() -> list[AlertRule]:
    """Every alert. Fails if one is written in other lines, because it would not be read."""
    text = ALERTS.read_text(encoding="utf-8")
    found = [AlertRule(*parts) for parts in ALERT.findall(text)]
    assert len(found) == text.count("- alert:") > 0
    return found
