"""The demo's child processes are watched, restarted and stopped, and shown in the live view."""

import asyncio
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from scripts.demo.demo_run import ending
from scripts.demo.live_view import status_line, tables
from scripts.demo.processes import ChildProcess, KeepsDyingError, python
from scripts.demo.small_view import small
from scripts.demo.system_status import SystemStatus
from scripts.demo.view_data import STATES, ViewData

STAYS = "import time; print('here', flush=True); time.sleep(60)"


def child(folder: Path, code: str) -> ChildProcess:
    return ChildProcess("worker-1", python("-c", code), dict(os.environ), folder)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.processes
async def test_a_killed_process_is_started_again_and_counted(tmp_path: Path) -> None:
    worker = child(tmp_path, STAYS)
    watching = asyncio.ensure_future(worker.watch())
    await until(lambda: worker.log.exists() and worker.log.read_text().count("here") == 1)
    worker.kill()
    await until(lambda: worker.log.read_text().count("here") == 2)
    assert worker.up
    assert worker.restarts == 1
    assert worker.memory_bytes() > 0
    await worker.stop()
    await watching
    assert not worker.up
    assert worker.restarts == 1


async def test_a_process_that_keeps_dying_is_not_restarted_and_the_error_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.demo.processes.YOUNG_DEATHS_MAX", 2)
    with pytest.raises(KeepsDyingError, match="no such setting"):
        await child(tmp_path, "raise SystemExit('no such setting')").watch()


def test_the_live_view_has_a_row_for_each_provider(tmp_path: Path) -> None:
    """The row has the captures, the amount kept, and the refunds."""
    ledger = {"captures": [{}] * 3, "refunds": [{}], "captured": {"CNY": 123_456}, "refunded": {"CNY": 56}}
    console = Console(width=132, file=io.StringIO(), record=True)
    console.print(tables(ViewData([child(tmp_path, STAYS)], ledgers={"alipay": ledger})))
    assert re.search(r"alipay +│ +3 │ +1,234.00 CNY │ +1 │", console.export_text())


def test_the_status_line_shows_a_server_that_does_not_answer(tmp_path: Path) -> None:
    view_data = ViewData([child(tmp_path, STAYS)], status=SystemStatus({"paid": 3}, {"invalid": 2}, None, None))
    text = status_line(view_data)
    assert "paid=3" in text
    assert "outbox ?  queued ?  dead 2" in text


def test_a_small_terminal_gets_a_view_that_fits(tmp_path: Path) -> None:
    queues = {f"oms.queue-{number}": number for number in range(60)}
    counts = {"outbox_pending": 1_000_000.0, "outbox_age": 12.5}
    status = SystemStatus(dict.fromkeys(STATES, 1_000), {f"reason_{n}": n for n in range(30)}, counts, queues)
    view_data = ViewData([child(tmp_path, STAYS)], status=status, note=ending(20), second_terminal="/tmp/oms-demo/env")
    console = Console(width=80, height=24, record=True, file=io.StringIO())
    console.print(small(view_data, 80))
    lines = console.export_text().splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    for part in ("delivery_failed", "outbox pending", "queue-59 59", "reason_1 1", "oms-demo/env", "60 s", "at once"):
        assert part in shown, part
