"""The manifests for Kubernetes are valid, name what exists, serve each queue once, and run with least rights."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from typing import Any

import kubernetes_validate
import orjson
import pytest
import yaml

from messages.roles import Role
from messages.topology import PROVIDERS
from scripts.cli import load
from scripts.commands.worker import chosen
from scripts.servers.roles import USERS, user_name
from tests.scripts.alerts import alerts
from tests.scripts.kubernetes import DEPLOY, FOLDERS, Manifest, manifests, of_kind, pods, put_together, settings
from tests.scripts.promql import recorded
from workers.routes import ROUTES
from workers.settings import Settings

SCHEMAS = "1.32"
KEDA: dict[str, dict[str, Any]] = {
    "ScaledObject": {
        "scaleTargetRef": {"apiVersion": str, "kind": str, "name": str, "envSourceContainerName": str},
        "pollingInterval": int,
        "cooldownPeriod": int,
        "minReplicaCount": int,
        "maxReplicaCount": int,
        "fallback": {"failureThreshold": int, "replicas": int},
        "advanced": {"restoreToOriginalReplicaCount": bool, "horizontalPodAutoscalerConfig": {"behavior": dict}},
        "triggers": [{"type": str, "name": str, "metadata": dict, "authenticationRef": {"name": str, "kind": str}}],
    },
}
"""The fields of keda.sh/v1alpha1 that the manifests may use, with their types."""
MONITORING: dict[str, dict[str, Any]] = {
    "PodMonitor": {
        "selector": {"matchLabels": dict},
        "podMetricsEndpoints": [dict.fromkeys(("port", "path", "interval"), str)],
    },
    "PrometheusRule": {"groups": [{"name": str, "interval": str, "rules": list}]},
}
"""The same of monitoring.coreos.com/v1."""
SCALERS = {
    "prometheus": {"serverAddress", "query", "threshold", "ignoreNullValues"},
}
"""The metadata of a trigger, by its type."""
PARSED_ALONE = {"migrate", "relay", "worker"}
SERIES_MAX = 600
BY_CODES_AND_PARTNERS = 150
"""Series that a process gets besides: of durations, codes, reasons, providers, carriers and slow statements."""


def valid(one: Manifest) -> None:
    """Raise if the object has an unknown or missing field, or one of a wrong type."""
    fields = {"keda.sh/v1alpha1": KEDA, "monitoring.coreos.com/v1": MONITORING}.get(one["apiVersion"])
    if fields is not None:
        assert unknown(one["spec"], fields[one["kind"]], one["metadata"]["name"]) == []
        return
    kubernetes_validate.validate(one, SCHEMAS, strict=True)


def unknown(value: Any, fields: Any, path: str) -> list[str]:
    """The paths under which a value is not as its fields say."""
    if isinstance(fields, dict) and isinstance(value, dict):
        extra = [f"{path}.{name}" for name in value.keys() - fields.keys()]
        return [*extra, *(w for name in value.keys() & fields.keys() for w in unknown(value[name], fields[name], name))]
    if isinstance(fields, list) and isinstance(value, list):
        return [wrong for one in value for wrong in unknown(one, fields[0], path)]
    return [] if isinstance(fields, type) and isinstance(value, fields) else [path]


def test_every_manifest_is_valid() -> None:
    found = manifests(*FOLDERS)
    assert len(found) > 20
    for one in found:
        valid(one)
    for scaled in of_kind("ScaledObject", found).values():
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["metadata"].keys() == SCALERS[trigger["type"]]
            assert {type(value) for value in trigger["metadata"].values()} == {str}


@pytest.mark.parametrize(
    ("path", "value"),
    [(("spec", "replica"), 2), (("spec", "replicas"), "2"), (("spec", "template", "spec", "contaners"), [])],
)
def test_a_misspelt_field_is_found(path: tuple[str, ...], value: object) -> None:
    relay = of_kind("Deployment", manifests("base"))["relay"]
    wrong: Manifest = {**relay, "spec": {**relay["spec"], "template": {**relay["spec"]["template"]}}}
    wrong["spec"]["template"]["spec"] = {**relay["spec"]["template"]["spec"]}
    place = wrong
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        valid(wrong)
    scaled = of_kind("ScaledObject", manifests("autoscaling"))["relay"]
    assert unknown(scaled["spec"] | {"maxReplicas": 3}, KEDA["ScaledObject"], "relay") == ["relay.maxReplicas"]


def test_the_parts_fit_together_as_kustomize_joins_them() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    for folder in ("base", "example"):
        for one in put_together(folder):
            valid(one)
    found = put_together("example")
    scaled = of_kind("ScaledObject", found)
    deployed = of_kind("Deployment", found)
    assert {scale["spec"]["scaleTargetRef"]["name"] for scale in scaled.values()} <= deployed.keys()
    assert {name for name, one in deployed.items() if "replicas" not in one["spec"]} == scaled.keys()
    reading = {name for name, pod in pods(found) if any(e["name"] == "OMS_STRIPE" for e in container(pod)["env"])}
    assert reading == {name for name in deployed if name.startswith("worker-")}
    (settings_name,) = of_kind("ConfigMap", found)
    assert {each["configMapRef"]["name"] for _, pod in pods(found) for each in container(pod)["envFrom"]} == {
        settings_name
    }


def container(pod: Manifest) -> Manifest:
    """The only container of a pod."""
    (only,) = pod["containers"]
    found: Manifest = only
    return found


def test_the_operator_finds_every_process_and_gets_every_rule() -> None:
    (monitor,) = of_kind("PodMonitor", manifests("monitoring")).values()
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    ports = {one["port"] for one in monitor["spec"]["podMetricsEndpoints"]}
    for name, deployment in of_kind("Deployment", manifests(*FOLDERS)).items():
        assert wanted <= deployment["spec"]["template"]["metadata"]["labels"].items(), name
        assert {port["name"] for port in container(deployment["spec"]["template"]["spec"])["ports"]} == ports, name
    (loop,) = re.findall(r"^for rules.+?^done", (DEPLOY / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    made = subprocess.run(["sh", "-c", loop], cwd=DEPLOY.parents[2], capture_output=True, text=True, check=True).stdout
    found = [one for one in yaml.safe_load_all(made) if one]
    for one in found:
        valid(one)
    rules = [rule for one in found for group in one["spec"]["groups"] for rule in group["rules"]]
    assert len(rules) == len(alerts()) + len(recorded())


def test_every_queue_is_served_by_one_group_and_every_command_parses() -> None:
    served: Counter[str] = Counter()
    for name, pod in pods(manifests(*FOLDERS)):
        command, *rest = container(pod)["args"]
        found = load(command)
        if rest and command not in PARSED_ALONE:
            found, rest = found.commands[rest[0]], rest[1:]
        context = found.make_context(command, [*rest])
        if command == "worker":
            known = [route.queue for route in ROUTES]
            served.update(chosen(context.params["queues"], known))
            assert name.startswith("worker-")
    assert {queue for queue, times in served.items() if times > 1} == set()
    unserved = {route.queue for route in ROUTES} - served.keys()
    assert unserved == {f"provider-calls.{provider}" for provider in PROVIDERS if provider != "stripe"}


def test_a_process_of_each_group_has_few_series_once_every_message_came() -> None:
    groups = {
        name: [*chosen(container(pod)["args"][2], [route.queue for route in ROUTES])]
        for name, pod in pods(manifests(*FOLDERS))
        if name.startswith("worker-")
    }
    command = [sys.executable, "-m", "tests.telemetry.series", orjson.dumps(groups).decode()]
    counted = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    eager = counted.pop("")
    assert counted.keys() == groups.keys()
    assert max(counted.values()) + eager + BY_CODES_AND_PARTNERS < SERIES_MAX, counted | {"at its start": eager}


def test_each_group_of_workers_is_scaled_by_its_own_queues() -> None:
    deployed = of_kind("Deployment", manifests("base"))
    for name, scaled in of_kind("ScaledObject", manifests("autoscaling")).items():
        least, most = scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]
        assert 2 <= least < most
        (trigger,) = scaled["spec"]["triggers"]
        assert trigger["metadata"]["ignoreNullValues"] == "false", "what is not known is no backlog of 0"
        query = "max(oms_outbox_oldest_age_seconds)"
        if name.startswith("worker-"):
            queues = container(deployed[name]["spec"]["template"]["spec"])["args"][2].split(",")
            query = f'max(oms:queue_backlog_seconds{{queue=~"{"|".join(queues)}"}})'
        assert trigger["metadata"]["query"] == query


def test_every_variable_is_a_setting_and_every_secret_is_only_named() -> None:
    variables = {variable for field in Settings.model_fields for variable in Settings.variables(field)}
    for folder in ("base", "example"):
        assert settings(folder).keys() - variables == set()
    assert "Secret" not in {one["kind"] for one in manifests(*FOLDERS)}
    page = (DEPLOY / "README.md").read_text("utf-8")
    for name, pod in pods(manifests(*FOLDERS)):
        for entry in container(pod)["env"]:
            assert entry["name"] in variables, (name, entry)
            reference = entry["valueFrom"]["secretKeyRef"]
            assert f"`{reference['name']}`" in page, (name, reference)
            assert f"`{reference['key']}`" in page, (name, reference)
            role = reference["key"].removesuffix("-url")
            assert entry["name"] != "OMS_AMQP_URL" or role in USERS, (name, reference)


def test_the_shared_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (settings("base") | settings("example")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMS_DATABASE_URL", "postgresql://")
    monkeypatch.setenv("OMS_AMQP_URL", "amqp://")
    found = Settings()
    assert found.ops_port == 9100
    assert found.default_warehouse in found.fulfilment_warehouses
    assert {user_name(found.prefix, role) for role in Role} - found.trust.roles.keys() == set(), (
        "they could send nothing"
    )
    grace = found.shutdown_grace_seconds
    for name, deployment in of_kind("Deployment", manifests(*FOLDERS)).items():
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= grace + 15, name


def test_every_pod_runs_with_the_least_rights() -> None:
    for name, pod in pods(manifests(*FOLDERS)):
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["serviceAccountName"] in of_kind("ServiceAccount", manifests("base")), name
        assert pod["automountServiceAccountToken"] is False, name
        one = container(pod)
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert "memory" in one["resources"]["limits"], name


def test_every_process_has_probes_a_budget_and_is_spread() -> None:
    budgets = of_kind("PodDisruptionBudget", manifests(*FOLDERS))
    deployed = of_kind("Deployment", manifests(*FOLDERS))
    assert deployed.keys() == budgets.keys()
    for name, deployment in deployed.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        for selector in (deployment["spec"]["selector"], budgets[name]["spec"]["selector"]):
            assert selector["matchLabels"].items() <= labels.items(), name
        assert {other for other in deployed if matches(budgets[name], deployed[other])} == {name}
        pod = deployment["spec"]["template"]["spec"]
        assert len(pod["topologySpreadConstraints"]) == 2, name
        probes = {probe: container(pod)[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")}
        assert probes == {"livenessProbe": "/live", "readinessProbe": "/ready"}, name


def matches(budget: Manifest, deployment: Manifest) -> bool:
    """Whether the budget is about the deployment's pods."""
    wanted: dict[str, str] = budget["spec"]["selector"]["matchLabels"]
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return wanted.items() <= labels.items()
