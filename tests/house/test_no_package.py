"""The project is run from a checkout or from its image: nothing builds a package of it."""

import sys
import tomllib
from importlib import import_module

import pytest

from tests.house.sources import ROOT

BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]
HOOKS = [f"{hook}_{kind}" for hook in ("get_requires_for_build", "build") for kind in ("wheel", "sdist", "editable")]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_build_ends_with_one_sentence_that_says_how_to_run_it(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BUILD["requires"] == []
    for folder in BUILD["backend-path"]:
        monkeypatch.syspath_prepend(ROOT / folder)
    backend = import_module(BUILD["build-backend"])
    monkeypatch.delitem(sys.modules, BUILD["build-backend"])
    with pytest.raises(SystemExit, match=r"run it from a checkout .* or from its image") as refusal:
        getattr(backend, hook)("somewhere", config_settings=None)
    assert "\n" not in str(refusal.value)
