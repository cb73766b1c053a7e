"""A RabbitMQ server, wherever it runs: virtual hosts for its callers, and a URL for each user."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aio_pika
from aio_pika.exceptions import AMQPError

from scripts.servers.lifecycle import Lifecycle, NotSupportedError
from scripts.servers.management import Management
from scripts.servers.roles import ADMIN, Permission, permissions, user_name

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
    _passwords: dict[tuple[str, str], str] = field(default_factory=dict, init=False)

    def new_vhost(
        self,
        name: str,
        prefix: str = "oms",
        also: Mapping[str, Permission] | None = None,
        cells: Iterable[str] = (),
    ) -> dict[str, str]:
        """Create a virtual host; return user, without the prefix of its name -> AMQP URL.

        Each user has the least permissions that it needs under `prefix`, and in its `cells`. `also` are further users.
        """
        allowed = permissions(prefix, cells) | dict(also or {})
        if self.management_url is None:
            return dict.fromkeys((*allowed, ADMIN), self.admin_url)
        self.management.put_vhost(name)
        self.management.grant(name, self._admin, ".*", ".*", ".*")
        administrator = self._url(name, self._admin, unquote(urlsplit(self.admin_url).password or "guest"))
        if not self.own:
            return dict.fromkeys((*allowed, ADMIN), administrator)
        passwords = self._users(prefix, allowed)
        self.management.allow(name, prefix, allowed)
        urls = {user: self._url(name, user_name(prefix, user), password) for user, password in passwords.items()}
        return urls | {ADMIN: administrator}

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

    def _users(self, prefix: str, users: Iterable[str]) -> dict[str, str]:
        """Return user -> password; create those that are new under this prefix."""
        new = {user: secrets.token_hex(16) for user in users if (prefix, user) not in self._passwords}
        if new:
            self.management.put_users(prefix, new)
            self._passwords |= {(prefix, user): password for user, password in new.items()}
        return {user: self._passwords[prefix, user] for user in users}

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
    except (OSError, TimeoutError, AMQPError, ValueError, StopAsyncIteration) as error:  # the last: see outbox.wire
        return f"{type(error).__name__} {getattr(error, 'reason', '') or error}"
    return None
