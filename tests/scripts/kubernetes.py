"""The manifests of scripts/deploy/kubernetes as they stand in their files, and as kustomize puts them together."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "scripts" / "deploy" / "kubernetes"
FOLDERS = ("base", "autoscaling", "monitoring", "example")
PATCHES = ("provider-settings.yaml",)

Manifest = dict[str, Any]


@cache
def manifests(*folders: str) -> list[Manifest]:
    """Every object of these folders' files."""
    files = sorted(file for folder in folders for file in (DEPLOY / folder).glob("*.yaml"))
    wanted = [file for file in files if file.name not in ("kustomization.yaml", *PATCHES)]
    return [one for file in wanted for one in yaml.safe_load_all(file.read_text("utf-8"))]


@cache
def put_together(folder: str) -> list[Manifest]:
    """What `kubectl apply -k` would send."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [*yaml.safe_load_all(done.stdout)]


def of_kind(kind: str, found: list[Manifest]) -> dict[str, Manifest]:
    """Name -> object, of one kind."""
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def pods(found: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The name and the pod of every Deployment and Job."""
    for one in found:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def settings(folder: str) -> dict[str, str]:
    """The variables of a folder's settings."""
    lines = (DEPLOY / folder / "settings.env").read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}
