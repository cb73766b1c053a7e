"""`--chaos`: in the middle of a run, kill one worker and one relay with SIGKILL and restart the broker."""

import asyncio

from scripts.demo.processes import ChildProcesses
from scripts.demo.view_data import ViewData
from scripts.servers.find import Servers
from scripts.servers.lifecycle import NotSupportedError

PAUSE_SECONDS = 5.0


async def kill_and_restart(view_data: ViewData, processes: ChildProcesses, servers: Servers, half: int) -> None:
    """Wait until half of the orders are placed and some are completed, then kill and restart."""
    while True:
        await asyncio.sleep(0.5)
        if view_data.status.states.get("completed", 0) and sum(view_data.status.states.values()) >= half:
            break
    for prefix in ("worker", "relay"):
        child = processes.first(prefix)
        child.kill()
        view_data.note = f"chaos: {child.name} was killed"
        await asyncio.sleep(PAUSE_SECONDS)
    view_data.note = "chaos: RabbitMQ is restarting"
    try:
        await asyncio.to_thread(servers.broker.restart)
    except NotSupportedError as error:
        view_data.note = f"chaos: RabbitMQ was not restarted: {error}"
        return
    view_data.note = "chaos: a worker and a relay were killed, RabbitMQ was restarted"
