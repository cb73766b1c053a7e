"""The sentences of tests/bench/README.md that are the same for every sitting."""

HEAD = """
# How fast it is

Every table and plot on this page is written by `python -m tests.bench page`, from one sitting: the raw figures are in
`tests/bench/results.json`. Read the ratios. Absolute figures are those of one small machine, on which the servers, the
contender and the clients share the cores.
"""

HOW = """
## How it was measured

- PostgreSQL and RabbitMQ are private to the sitting, with `fsync` on. Queues are quorum queues, messages are
  persistent, and publishes are confirmed. Every contender has a database and a virtual host of its own, with the same
  products in stock.
- The orders are real baskets of a grocer's year (some ten lines each), the same for each contender.
- `ours` is the product as it is deployed, or in one process: validation, roles, idempotency, inbox, outbox and all
  rules of an order included. Its local dispatch is on.
- `bare loop` is what the same rows and messages cost without all that: one process takes what waits in a queue, does it
  in one transaction, publishes and acknowledges, in three hops (creation, stock, stock results). It has no inbox and no
  outbox, so a crash between its commit and its publish loses a message.
- FastStream, Celery and Dramatiq do the same three hops with the same rows, one message at a time. Each runs with the
  best of three settings of prefetch and concurrency (`CHOSEN` in `contenders.py` has the rates of all).
- Contenders run in turn, and each second round goes the other way round, so that a drift of the machine meets all.
- Latency is that of an open loop: orders come when they are due, whether or not the ones before are answered, and the
  wait counts from that time. `one by one` places the next order 0.1 s after the last was answered.
- CPU is read from `/proc` before and after, children included: its steps of 10 ms are 0.1 ms per order and process at
  the slowest rate.
- `saturated` means that a round did not answer all orders within a minute, or that p99 was above two seconds: the
  contender falls behind, and its latencies only tell how long that lasted. It is not measured at higher rates then.
"""

DOUBTS = """
What to doubt: medians of a few rounds of seconds are no proof of tails, and p99 of the slowest rates is nearly the
maximum of seventy orders. On two cores the clients take part of what the contender could have. The stages are
measured in one process by wrappers around each call, which cost some microseconds themselves, and a stage that waits
for another process counts that as its own time.
"""

RUNNING = """
## Running it

    python -m tests.bench page                          half an hour on 2 cores; it says what is left
    python -m tests.bench page --from tests/bench/results.json
                                                        the page and its plots again, without measuring
    python -m tests.bench page --from tests/bench/results.json --before old.json
                                                        the same, beside the results of an older commit
    python -m tests.bench page --from tests/bench/results.json --remarks why.md
                                                        the same, with a text on what holds missed aims back
    python -m tests.bench rates -o rates.json           one part of it; also latency, cost, growth and memory
    python -m tests.bench queries --writes-per-second 50 -o queries.json
                                                        queries alone and beside new orders
    python -m tests.bench --help

The plots need matplotlib, which nothing else here does: `pip install --group bench` (pip 25.1 or newer). The other
frameworks take part if the Python that `OMS_BENCH_PEERS` names has them, in an environment of its own: `pip install
"faststream[rabbit]" celery dramatiq pika "psycopg[binary]" asyncpg orjson uvloop cryptography structlog psutil pydantic
pydantic-settings`. `growth` and `memory` take longer than a sitting, and `queries` is measured apart: their files join
the page with `--from`, which may be repeated.
"""
