"""`--chaos`: in the middle of the run one worker and one relay die as in a power cut, and the broker is restarted."""

import asyncio

from scripts.demo.live_view import ViewData
from scripts.demo.processes import ChildProcesses
from scripts.servers.find import Servers
from scripts.servers.lifecycle import NotSupportedError

PAUSE_SECONDS = 5.0


async def make_trouble(view_data: ViewData, processes: ChildProcesses, servers: Servers, half: int) -> None:
    """Wait until half of the orders are placed, then strike."""
    while True:
        await asyncio.sleep(0.5)
        if view_data.status.states.get("completed", 0) and sum(view_data.status.states.values()) >= half:
            break
    for prefix in ("worker", "relay"):
        child = processes.first(prefix)
        child.kill()
        view_data.note = f"chaos: {child.name} was killed"
        await asyncio.sleep(PAUSE_SECONDS)
    view_data.note = "chaos: RabbitMQ is being restarted"
    try:
        await asyncio.to_thread(servers.broker.restart)
    except NotSupportedError as error:
        view_data.note = f"chaos: RabbitMQ was left alone: {error}"
        return
    view_data.note = "chaos: a worker and a relay were killed, RabbitMQ was restarted"
