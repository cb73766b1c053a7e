"""Runs `oms worker` beside a command that waits for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from tests.broker import Broker

ROOT = Path(__file__).parents[2]


@contextmanager
def worker(broker: Broker, database_url: str, queue: str) -> Iterator[None]:
    """Run `oms worker` for one queue."""
    variables = {
        "OMS_DATABASE_URL": database_url,
        "OMS_AMQP_URL": broker["worker"],
        "OMS_PREFIX": broker.names.prefix,
        "OMS_ROLES": orjson.dumps({f"oms-{role}": [role] for role in ("operator", "storefront", "catalogue")}).decode(),
        "OMS_OPS_PORT": "0",
    }
    command = [sys.executable, "-m", "scripts.cli", "worker", "--queues", queue]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
