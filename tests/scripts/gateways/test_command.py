"""`python -m scripts.gateways` reads its options, prints what workers need, and ends at a signal."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from scripts.gateways.__main__ import chosen_habits
from tests.house.sources import ROOT
from workers.providers.configuration import make

SECONDS = {"late_seconds": 1.0}


def test_a_habit_applies_to_every_provider_unless_it_names_one() -> None:
    habits_chosen = ["paypal.lost=0.5", "lost=0.1", "doubled=1"]
    found = chosen_habits(["wechat", "paypal"], habits_chosen, SECONDS)
    assert {name: (habits.lost, habits.doubled) for name, habits in found.items()} == {
        "wechat": (0.1, 1.0),
        "paypal": (0.5, 1.0),
    }
    assert {habits.late_seconds for habits in found.values()} == {1.0}


WRONG = [
    "lost", "lost=", "lost=x", "lost=1.1", "lost=-0.1", "lost=nan", "late_seconds=1", "x=1", "adyen.lost=1", ".lost=1",
]  # fmt: skip


@pytest.mark.parametrize("habit", WRONG)
def test_an_invalid_habit_is_rejected_with_an_explanation(habit: str) -> None:
    with pytest.raises(typer.BadParameter, match="PROVIDER"):
        chosen_habits(["wechat"], [habit], SECONDS)


def test_the_command_prints_the_environment_of_workers_and_ends_at_a_signal(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    command = [sys.executable, "-m", "scripts.gateways", "--provider", "alipay", "--folder", str(folder)]
    notified = ["--notify-url", "http://127.0.0.1:9/notify"]
    with subprocess.Popen([*command, *notified], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        provider = make("alipay", printed["environment"]["OMS_ALIPAY"])
        assert json.loads((folder / "gateways.json").read_text()) == printed
        modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert provider.name == "alipay"
    assert set(printed["gateways"]) == {"alipay"}
    assert modes == {0o600}
