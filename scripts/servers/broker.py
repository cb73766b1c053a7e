"""A RabbitMQ server, wherever it runs: virtual hosts for its callers, and a URL for each role."""

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aio_pika
from aio_pika.exceptions import AMQPError

from scripts.servers.lifecycle import Lifecycle, NotSupportedError
from scripts.servers.management import Management
from scripts.servers.roles import ADMIN, ROLES

ANSWER_TIMEOUT_SECONDS = 5


@dataclass
class BrokerServer:
    """One server.

    `management_url` carries an administrator's name and password. If it is unknown, callers share the virtual host of
    `admin_url` and are kept apart by prefix. `own` means that the broker is ours, so that users may be created; on the
    broker of others, the one user of the URL has every role.
    """

    admin_url: str
    lifecycle: Lifecycle
    management_url: str | None = None
    own: bool = True
    _passwords: dict[str, str] = field(default_factory=dict, init=False)

    def new_vhost(self, name: str, prefix: str = "oms") -> dict[str, str]:
        """Create a virtual host; return role -> AMQP URL.

        Each role has the least permissions that it needs under `prefix`.
        """
        if self.management_url is None:
            return dict.fromkeys((*ROLES, ADMIN), self.admin_url)
        self.management.put_vhost(name)
        self.management.grant(name, self._admin, ".*", ".*", ".*")
        administrator = self._url(name, self._admin, unquote(urlsplit(self.admin_url).password or "guest"))
        if not self.own:
            return dict.fromkeys((*ROLES, ADMIN), administrator)
        passwords = self._users()
        self.management.grant_roles(name, list(passwords), prefix)
        return {role: self._url(name, role, passwords[role]) for role in ROLES} | {ADMIN: administrator}

    def drop_vhost(self, name: str) -> None:
        """Delete a virtual host that `new_vhost` made."""
        if self.management_url is not None:
            self.management.delete_vhost(name)

    @cached_property
    def management(self) -> Management:
        """The management interface. Raises NotSupportedError if its URL is unknown."""
        if self.management_url is None:
            raise NotSupportedError("the management URL of this broker is not known; set OMS_MANAGEMENT_URL")
        return Management(self.management_url)

    def start(self) -> None:
        """See Lifecycle."""
        self.lifecycle.start()

    def stop(self) -> None:
        """See Lifecycle."""
        self.lifecycle.stop()

    def kill(self) -> None:
        """See Lifecycle."""
        self.lifecycle.kill()

    def restart(self) -> None:
        """See Lifecycle."""
        self.lifecycle.restart()

    def _users(self) -> dict[str, str]:
        if not self._passwords:
            self._passwords = {role: secrets.token_hex(16) for role in ROLES}
            self.management.put_roles(self._passwords)
        return self._passwords

    @property
    def _admin(self) -> str:
        return unquote(urlsplit(self.admin_url).username or "guest")

    def _url(self, vhost: str, user: str, password: str) -> str:
        parts = urlsplit(self.admin_url)
        place = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.hostname}:{parts.port or 5672}"
        return urlunsplit(parts._replace(netloc=place, path="/" + quote(vhost, safe="")))


def broker_refusal(url: str) -> str | None:
    """Return why no AMQP connection can be opened, without the URL's password; None if one can be."""

    async def attempt() -> None:
        connection = await aio_pika.connect(url, timeout=ANSWER_TIMEOUT_SECONDS)
        await connection.close()

    try:
        asyncio.run(attempt())
    except (OSError, TimeoutError, AMQPError, ValueError) as error:
        return f"{type(error).__name__} {getattr(error, 'reason', '') or error}"
    return None
