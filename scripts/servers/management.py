"""The part of RabbitMQ's management interface that we use: virtual hosts, users, permissions."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from messages.topology import Names, topology
from scripts.servers.roles import TAGS, Permission, user_name


class Management:
    """One broker's interface. The URL carries an administrator's name and password."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        secret = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
        self._base = f"{parts.scheme}://{parts.hostname}:{parts.port or 15672}{parts.path.rstrip('/')}/api"
        self._authorization = "Basic " + base64.b64encode(secret.encode()).decode()

    def call(self, method: str, path: str, body: object = None, *, timeout_seconds: float = 30) -> Any:
        """Send one request; return the decoded response or None.

        Raises urllib.error.URLError and its subclass HTTPError, or TimeoutError if it says nothing for so long.
        """
        request = urllib.request.Request(
            self._base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": self._authorization, "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def answers(self) -> bool:
        """Tell whether the interface answers and accepts our password."""
        try:
            self.call("GET", "/whoami")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def serves_clients(self) -> bool:
        """Tell whether the AMQP listener is open, which opens last."""
        try:
            listeners = self.call("GET", "/overview")["listeners"]
        except (OSError, urllib.error.URLError):
            return False
        return any(listener["protocol"] == "amqp" for listener in listeners)

    def put_vhost(self, name: str) -> None:
        """Create a virtual host with quorum queues as its default type; an existing one stays."""
        self.call("PUT", f"/vhosts/{quote(name, safe='')}", {"default_queue_type": "quorum"})

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host and all in it. One that does not exist is no error."""
        try:
            self.call("DELETE", f"/vhosts/{quote(name, safe='')}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def put_user(self, name: str, password: str, tag: str = "") -> None:
        """Create a user, or set its password and tag."""
        self.call("PUT", f"/users/{quote(name, safe='')}", {"password": password, "tags": tag})

    def grant(self, vhost: str, user: str, configure: str, write: str, read: str) -> None:
        """Set the permission of one user in one virtual host."""
        path = f"/permissions/{quote(vhost, safe='')}/{quote(user, safe='')}"
        self.call("PUT", path, {"configure": configure, "write": write, "read": read})

    def put_users(self, prefix: str, passwords: Mapping[str, str]) -> None:
        """Create users, or set their passwords and tags; the keys are their names without the prefix."""
        users = [
            {"name": user_name(prefix, user), "password": password, "tags": TAGS.get(user, "")}
            for user, password in passwords.items()
        ]
        self.call("POST", "/definitions", {"users": users})

    def allow(self, vhost: str, prefix: str, allowed: Mapping[str, Permission]) -> None:
        """Give users their permissions in a virtual host. Other users keep theirs.

        The exchanges whose keys are limited are declared first, as the topology declares them: RabbitMQ 4.3 refuses a
        permission on the keys of an exchange that does not exist.
        """
        granted, topics = [], []
        for user, one in allowed.items():
            who = {"user": user_name(prefix, user), "vhost": vhost}
            granted.append(who | {"configure": one.configure, "write": one.write, "read": one.read})
            topics += [who | {"exchange": name, "write": keys, "read": ".*"} for name, keys in one.topics.items()]
        limited = {topic["exchange"] for topic in topics}
        exchanges = [
            {"name": one.name, "vhost": vhost, "type": one.type, "durable": True, "arguments": one.arguments}
            | {"auto_delete": False, "internal": False}
            for one in topology(Names(prefix), tiers=()).exchanges
            if one.name in limited
        ]
        if exchanges:
            self.call("POST", "/definitions", {"exchanges": exchanges})
        self.call("POST", "/definitions", {"permissions": granted, "topic_permissions": topics})
