"""A replay is sent once at a time, and again if it is resumed while its sender ends because of a pause."""

import asyncio
from typing import Any

import pytest

from scripts.console import replay_senders
from scripts.console.replay_senders import ReplaySenders


async def test_a_replay_that_is_resumed_while_its_sender_ends_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    seen = [asyncio.Event(), asyncio.Event()]

    async def send(_: int, *, note: str, **__: Any) -> None:
        notes.append(note)
        await seen[len(notes) - 1].wait()

    monkeypatch.setattr(replay_senders, "send", send)
    senders = ReplaySenders()
    senders.start(1, "ana")
    await asyncio.sleep(0)
    senders.start(1, "bo")
    assert notes == ["ana"]
    seen[0].set()
    while notes != ["ana", "bo"]:
        await asyncio.sleep(0)
    assert senders.sends(1)
    seen[1].set()
    while senders.sends(1):
        await asyncio.sleep(0)
    assert (notes, await senders.close()) == (["ana", "bo"], [])
