"""`--chaos`: in the middle of the run one worker and one relay die as in a power cut, and the broker is restarted."""

import asyncio

from scripts.demo.processes import Cast
from scripts.demo.view import Scene
from scripts.servers.find import Servers
from scripts.servers.lifecycle import NotSupportedError

PAUSE_SECONDS = 5.0


async def make_trouble(scene: Scene, cast: Cast, servers: Servers, half: int) -> None:
    """Wait until half of the orders are placed, then strike."""
    while True:
        await asyncio.sleep(0.5)
        if scene.figures.states.get("completed", 0) and sum(scene.figures.states.values()) >= half:
            break
    for prefix in ("worker", "relay"):
        child = cast.first(prefix)
        child.kill()
        scene.note = f"chaos: {child.name} was killed"
        await asyncio.sleep(PAUSE_SECONDS)
    scene.note = "chaos: RabbitMQ is being restarted"
    try:
        await asyncio.to_thread(servers.broker.restart)
    except NotSupportedError as error:
        scene.note = f"chaos: RabbitMQ was left alone: {error}"
        return
    scene.note = "chaos: a worker and a relay were killed, RabbitMQ was restarted"
