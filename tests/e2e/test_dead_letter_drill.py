"""The drill of an on-call engineer: three handlers have a defect, 500 messages die, and every order ends right."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from messages.payments import PaymentResult
from messages.strict_json import Fault, Reading, read
from scripts.cli import main
from tests.e2e.system import SKU, RunningSystem, wait_until
from tests.e2e.upstream import roles, states, wait_for_value
from workers.handlers import order_changes, order_creation
from workers.runtime import decode

ROOT = Path(__file__).parents[2]
CREATED, PAID, CANCELLED = 100, 300, 100
LETTERS = CREATED + PAID + CANCELLED
WHY = ("--reason", "the defect is mended", "--yes")


class Terminal:
    """Runs `oms` beside the system: in a thread of this process, so that a trial sees its defect, or as a process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], variables: dict[str, str]) -> None:
        self.capsys, self.variables, self.err = capsys, variables, ""

    async def __call__(self, *words: str) -> tuple[int, Any]:
        self.capsys.readouterr()
        code = await asyncio.to_thread(main, [*words, "-o", "json"])
        shown = self.capsys.readouterr()
        self.err = shown.err
        return code, orjson.loads(shown.out or b"null")

    def process(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "scripts.cli", *words]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | self.variables, stdout=quiet, stderr=quiet)


@pytest.fixture
def oms(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    system: RunningSystem,
    logging_as_before: None,
) -> Terminal:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # workers log to stdout
    variables = {
        "OMS_DATABASE_URL": system.database_url,
        "OMS_ACTOR": "ana",
        "OMS_RATE_LIMIT_ORDERS": "0",  # as the workers have it: a trial here configures the shop of this process
        "OMS_PAYMENT_WINDOW_SECONDS": "1800",
        "OMS_ROLES": orjson.dumps({user: sorted(given) for user, given in roles(system.broker).items()}).decode(),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Terminal(capsys, variables)


def break_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two handlers raise, and workers misread a third kind of message, which costs no transaction for each."""

    def defect(*_: object) -> None:
        raise AssertionError("a defect of this build")

    def misread(model: Any, body: bytes) -> Reading[Any]:
        fault = Fault("$.amount", "int_type", "a defect of this build")
        return Reading(None, faults=(fault,)) if model is PaymentResult and b"captured" in body else read(model, body)

    monkeypatch.setattr(order_creation, "decide", defect)
    monkeypatch.setattr(order_changes, "decide", defect)
    monkeypatch.setattr(decode, "read", misread)


async def publish_three_kinds(system: RunningSystem, orders: Sequence[dict[str, Any]]) -> None:
    upstream = system.upstream
    paid, cancelled = orders[:PAID], orders[PAID:]
    about = {"actor": {"type": "user", "id": "u1"}}
    await asyncio.gather(
        *(
            upstream.publish("order.cancel", about | {"request_id": f"c-{number}", "order_id": one["order_id"]})
            for number, one in enumerate(cancelled)
        ),
        *map(upstream.pay, paid),
        *(upstream.publish_order((SKU, 1), request_id=f"late-{number}") for number in range(CREATED)),
    )


async def letters(system: RunningSystem, state: str) -> int:
    return int(await system.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = $1", state))


@pytest.mark.processes
async def test_500_letters_of_a_defect_are_replayed_and_every_order_ends_right(
    system: RunningSystem, oms: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await states(system.pool)
    early = (system.upstream.publish_order((SKU, 1), request_id=f"e-{number}") for number in range(PAID + CANCELLED))
    await asyncio.gather(*early)
    orders = await system.upstream.wait_for_events("order.created", PAID + CANCELLED)
    await system.wait_until_idle()
    with monkeypatch.context() as broken:
        break_handlers(broken)
        await publish_three_kinds(system, orders[-PAID - CANCELLED :])
        await wait_for_value(system.pool, "SELECT count(*) FROM dead_letters WHERE state = 'open'", LETTERS)
        code, groups = await oms("dead-letters", "groups")
        assert code == 0
        assert {(row["type"], row["letters"]) for row in groups} == {
            ("order.create.v1", CREATED),
            ("payment.result.v1", PAID),
            ("order.cancel.v1", CANCELLED),
        }
        (one, *_) = (await oms("dead-letters", "list", "--type", "order.create.v1"))[1]
        shown = (await oms("dead-letters", "show", str(one["id"])))[1]
        assert shown["traceback"][-1] == "AssertionError"
        assert "tests/e2e/test_dead_letter_drill.py" in shown["traceback"][-2]
        code, trial = await oms("dead-letters", "try", str(one["id"]))
        assert (code, trial["result"], trial["reason"]) == (3, "fails", "impossible")
        # the canary of a replay under the defect dies, and nothing else is sent
        code, stopped = await oms("dead-letters", "replay", "--all", "--canary-wait-seconds", "30", *WHY)
        assert (code, stopped["state"], stopped["counts"]["worked"]) == (3, "stopped", 0)
        assert await letters(system, "open") == LETTERS
    code, trial = await oms("dead-letters", "try", str(one["id"]))
    assert (code, trial["result"], trial["sends"] != []) == (0, "works", True)
    await killed_on_the_way(system, oms)
    (run, *_) = (await oms("replays", "list"))[1]
    assert (run["state"], run["unsent"] > 0) == ("running", True)
    assert f"oms replays resume {run['id']}" in oms.err
    code, ended = await oms("replays", "resume", str(run["id"]))
    assert (code, ended["state"], ended["counts"]["worked"]) == (0, "finished", LETTERS), ended["outcomes"]
    await system.wait_until_idle()
    after = Counter(await states(system.pool))
    after.subtract(before)
    assert +after == {"awaiting_payment": CREATED, "paid": PAID, "cancelled": CANCELLED}
    assert await letters(system, "open") == 0
    sent = LETTERS + stopped["counts"]["died_again"]
    assert await system.pool.fetchval("SELECT count(*) FROM dead_letter_actions") == sent  # none was sent twice


async def killed_on_the_way(system: RunningSystem, oms: Terminal) -> None:
    """Replay everything at a rate in a process of its own, and kill that once it is past the canary."""
    process = oms.process("dead-letters", "replay", "--all", "--rate", "200/s", *WHY)

    async def past_the_canary() -> bool:
        assert process.poll() is None, "the replay has ended"
        newest = "run_id = (SELECT max(id) FROM replay_runs)"
        sent = f"SELECT count(*) FROM replay_run_letters WHERE {newest} AND sent_at IS NOT NULL"
        return int(await system.pool.fetchval(sent)) > 60

    await wait_until(past_the_canary, "a replay past its canary")
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 30)
