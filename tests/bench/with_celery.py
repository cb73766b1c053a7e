"""The Celery application of the contender `celery`: a task for each of the three steps, acknowledged after its work."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from kombu import Exchange, Queue

from tests.bench import blocking_work
from tests.bench.bare_work import PREFIX, STEPS, Out

app = Celery("bench", broker=os.environ["OMS_BENCH_ADMIN_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=int(os.environ.get("OMS_BENCH_PREFETCH", "4")),
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    task_queues=[
        Queue(
            f"{PREFIX}.{step}",
            Exchange(""),
            routing_key=f"{PREFIX}.{step}",
            no_declare=True,
            queue_arguments={"x-queue-type": "quorum"},  # so Celery sets no prefetch for the whole channel
        )
        for step in STEPS
    ],
    worker_send_task_events=False,
    worker_enable_remote_control=False,
)
_own: dict[str, Any] = {}


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _connect(**_: Any) -> None:
    _own["connection"] = blocking_work.connect()


@app.task(name="step")  # type: ignore[untyped-decorator]
def step(name: str, body: str) -> None:
    """Do one step, then publish what follows from it, each message confirmed."""
    with app.producer_pool.acquire(block=True) as producer:
        for out in blocking_work.work(_own["connection"], name, body.encode()):
            _publish(producer, out)


def _publish(producer: Any, out: Out) -> None:
    if following := blocking_work.NEXT.get(out.type):
        queue = f"{PREFIX}.{following}"
        step.apply_async((following, out.body.decode()), queue=queue, producer=producer)
        return
    producer.publish(
        out.body.decode(),
        exchange=out.exchange,
        routing_key=out.routing_key,
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        type=out.type,
        headers=out.headers,
    )
