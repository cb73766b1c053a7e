"""The virtual host of a test: its URL for each role, and the names of its exchanges and queues.

Broker["worker"] is the AMQP URL of the user `worker`; Broker.names carries the prefix of the test.
"""

from dataclasses import dataclass

from messages.topology import Names, tiers_seconds

TIERS_SECONDS = tiers_seconds(2)


@dataclass(frozen=True)
class Broker:
    """The test's own virtual host: a URL for each role, and the names with its prefix."""

    urls: dict[str, str]
    names: Names
    vhost: str
    has_roles: bool

    def __getitem__(self, role: str) -> str:
        """The AMQP URL of a role: upstream, payments, warehouse, operator, worker, relay, topology, oncall, admin."""
        return self.urls[role]
