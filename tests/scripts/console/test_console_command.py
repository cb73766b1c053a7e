"""`oms console` says what it does, takes its port or another, and ends cleanly."""

import asyncio
import os
import signal
import socket

import pytest
from aiohttp import ClientSession

from scripts.commands.problems import CommandError
from scripts.console.guard import Guard
from scripts.console.server import HOST, serve_until_interrupted
from tests.scripts.oms_command import Oms


def test_its_help_has_examples_and_it_needs_a_database(oms: Oms) -> None:
    shown = oms("console", "--help")
    assert (shown.code, "oms console --operate" in shown.out, "--open" in shown.out) == (0, True, True)
    refused = oms("console", database_url="nowhere")
    assert (refused.code, "export OMS_DATABASE_URL=" in refused.err) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_listens_on_the_loopback_alone_until_a_signal(
    capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    with (
        socket.create_server((HOST, 0)) as taken,
        pytest.raises(CommandError, match="another process listens on port"),
    ):
        await serve_until_interrupted(taken.getsockname()[1], Guard(), open_browser=False)
    life = asyncio.create_task(serve_until_interrupted(0, Guard(), open_browser=False))
    while not (url := capsys.readouterr().out.strip()):
        await asyncio.sleep(0.01)
    assert url.startswith("http://127.0.0.1:")
    async with ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
    os.kill(os.getpid(), number)
    async with asyncio.timeout(10):
        await life
    assert "the console has ended" in capsys.readouterr().err
