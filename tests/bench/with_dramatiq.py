"""The actors of the contender `dramatiq`: one for each of the three steps, acknowledged after its work."""

import os
import threading
from typing import Any

import dramatiq
import pika
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from tests.bench import blocking_work
from tests.bench.bare_work import STEPS, Out


class QuorumBroker(RabbitmqBroker):  # type: ignore[misc]
    """A broker whose queues are quorum queues, as those of the others."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": "quorum"}


broker = QuorumBroker(url=os.environ["OMS_BENCH_ADMIN_URL"], confirm_delivery=True)
dramatiq.set_broker(broker)
_own = threading.local()


def _run(name: str, body: str) -> None:
    if not hasattr(_own, "connection"):
        _own.connection = blocking_work.connect()
    for out in blocking_work.work(_own.connection, name, body.encode()):
        _publish(out)


def _publish(out: Out) -> None:
    if following := blocking_work.NEXT.get(out.type):
        ACTORS[following].send(following, out.body.decode())
        return
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=2, type=out.type, headers=out.headers
    )
    broker.channel.basic_publish(out.exchange, out.routing_key, out.body, properties)


ACTORS: dict[str, Any] = {
    name: dramatiq.actor(_run, actor_name=name, queue_name=f"bench-{name}", max_retries=3) for name in STEPS
}
