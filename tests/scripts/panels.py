"""The panels of the dashboards of scripts/deploy, and what they ask of Prometheus."""

import json
from typing import Any

from tests.scripts.promql import DEPLOY

NAMES = ["business", "dead-letters", "overview", "payments", "pipeline"]
GRAFANA = DEPLOY / "grafana"
DASHBOARDS: dict[str, Any] = {
    name: json.loads((GRAFANA / f"dashboards/{name}.json").read_text(encoding="utf-8")) for name in NAMES
}
PANELS = [(f"{name}: {panel['title']}", panel) for name, board in DASHBOARDS.items() for panel in board["panels"]]


def expressions(range_: str = "5m") -> list[str]:
    """What all panels ask, with a range in place of Grafana's variable."""
    return [t["expr"].replace("$__rate_interval", range_) for _, panel in PANELS for t in panel["targets"]]
