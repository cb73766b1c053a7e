"""The job that the demo gives to its client process, as one line of JSON on standard input."""

from dataclasses import dataclass

PUBLISHERS = ("storefront", "payments", "warehouse", "carrier", "catalogue", "marketing", "operator")
"""The roles of the outside systems, each with a broker user that publishes."""
SUBSCRIBERS = ("storefront", "payments", "warehouse")
"""The roles that also read events, each with a broker user of its own for that."""
EAST, WEST = WAREHOUSES = ("east", "west")
"""The warehouses, which work by requests. Each has a client of its own."""
OWN_WAREHOUSE = "north"
"""Another one, for a person at the terminal: the crowd neither orders from it nor reads its queue."""
CARRIERS = ("air", "rail")
"""Carriers at which the order system books. Others are booked by the warehouses under numbers of their own."""
CLIENT_USERS = (*PUBLISHERS, *(f"{role}-events" for role in SUBSCRIBERS))


@dataclass(frozen=True)
class ClientJob:
    """What the client does and where it connects.

    `urls` is broker user -> AMQP URL, `gateways` is provider -> URL of the buyers' side of its test gateway, and
    `carriers_url` that of the carriers. `receipts`, `benefits_log` and `mails` are the files that it writes (see
    Receipts, BenefitsLog and NotifiedBuyers). `rules` are the shop's price rules (see Rules). `orders` 0 means all
    baskets of the year; `rate` is orders a second, and 0 means as fast as possible. One buyer places `hasty_orders`
    orders at once, more than the rate limit allows.
    """

    urls: dict[str, str]
    run: str
    gateways: dict[str, str]
    carriers_url: str
    receipts: str
    benefits_log: str
    mails: str
    rules: dict[str, int]
    prefix: str = "oms"
    orders: int = 0
    rate: float = 50.0
    open_commands_max: int = 3_000
    window_seconds: float = 15.0
    hasty_orders: int = 0


def client_queues(run: str) -> dict[str, str]:
    """Return connection -> name of the queue that it listens at.

    A role's broker user may only create queues that begin with its own name.
    """
    queues = {role: f"client.{role}.demo.{run}" for role in SUBSCRIBERS}
    return queues | {"replies": f"client.storefront.demo.{run}.replies"}


def instructions_queue(prefix: str, warehouse: str) -> str:
    """Return the name of the queue in which the order system puts its instructions for the warehouse."""
    return f"{prefix}.warehouse.{warehouse}"
