"""The virtual host of a test: its URL for each user, and the names of its exchanges and queues.

Broker["worker"] is the AMQP URL of the user `oms-worker`; Broker.names carries the prefix of the test.
"""

from dataclasses import dataclass

from messages.topology import Names, tiers_seconds
from scripts.servers.find import Servers
from scripts.servers.roles import Permission

TIERS_SECONDS = tiers_seconds(2)


def upstream(prefix: str) -> Permission:
    """A user of a shop's own making, with wide permissions: what it may send is for us alone to decide."""
    mine = r"client\.(upstream|storefront)\..*|amq\.gen.*"
    return Permission(rf"^({mine})$", rf"^({prefix}\.(commands|queries)|{mine})$", rf"^({prefix}\.events|{mine})$")


def new_broker(servers: Servers, vhost: str, prefix: str) -> "Broker":
    """A fresh virtual host with every user of ours, and the user `upstream`."""
    urls = servers.broker.new_vhost(vhost, prefix, {"upstream": upstream(prefix)})
    return Broker(urls, Names(prefix), vhost, servers.broker.own)


@dataclass(frozen=True)
class Broker:
    """The test's own virtual host: a URL for each user, and the names with its prefix."""

    urls: dict[str, str]
    names: Names
    vhost: str
    has_roles: bool

    def __getitem__(self, role: str) -> str:
        """The AMQP URL of a user of scripts/servers/roles.py, of `upstream` or of `admin`."""
        return self.urls[role]
