"""A virtual host of its own for a stub, on a broker that may be in use, made as its administrator."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from yarl import URL

from scripts.commands.problems import Code, CommandError
from scripts.servers.management import Management
from scripts.servers.roles import permissions, user_name

ENDING = "AMQP_URL"
"""Ends the names of the variables with an AMQP URL: OMS_AMQP_URL, OMS_STOREFRONT_AMQP_URL."""
OF_OMS = ".order-creation"
"""Ends the name of a queue that an oms has and a stub has not."""
MANAGEMENT = "OMS_MANAGEMENT_URL"
EXAMPLE = f"export {MANAGEMENT}=http://administrator:password@host:15672"


def make_virtual_host(management_url: str, amqp_url: str, vhost: str, prefix: str) -> str:
    """Make a virtual host, if there is none of this name; return the administrator's AMQP URL of it.

    `amqp_url` says where the broker takes AMQP. Those broker users of this prefix that exist may do in the new virtual
    host what they may do in their own. Raises CommandError, also where a real oms has its queues: the rights there are
    not ours to set.
    """
    if not management_url:
        why = "only an administrator can make a virtual host"
        raise CommandError(Code.FAILED, f"{MANAGEMENT} is not set", why=why, hint=EXAMPLE)
    with _explained():
        management, administrator = Management(management_url), urlsplit(management_url)
        name, password = (unquote(part or "guest") for part in (administrator.username, administrator.password))
        _refuse_beside_oms(management, vhost)
        management.put_vhost(vhost)
        management.grant(vhost, name, ".*", ".*", ".*")
        there = {user["name"] for user in management.call("GET", "/users?columns=name")}
        allowed = {user: one for user, one in permissions(prefix).items() if user_name(prefix, user) in there}
        management.allow(vhost, prefix, allowed)
    return in_virtual_host(str(URL(amqp_url).with_user(name).with_password(password)), vhost)


def _refuse_beside_oms(management: Management, vhost: str) -> None:
    """Raise CommandError if an oms has its queues there, under whatever prefix."""
    try:
        queues = management.call("GET", f"/queues/{quote(vhost, safe='')}?columns=name")
    except HTTPError as error:
        if error.code != 404:
            raise
        return
    if found := next((one["name"] for one in queues if one["name"].endswith(OF_OMS)), None):
        why = f"the virtual host {vhost} has the queue {found}; nothing was changed there"
        raise CommandError(Code.REFUSED, "a stub does not run beside oms", why=why, hint="oms stub --vhost stub")


def urls_in(environment: Mapping[str, str], vhost: str) -> dict[str, str]:
    """Return the variables with the AMQP URL of a broker user, such as OMS_STOREFRONT_AMQP_URL, for a virtual host."""
    ours = {name: value for name, value in environment.items() if name.startswith("OMS_") and name.endswith(ENDING)}
    return {name: in_virtual_host(value, vhost) for name, value in ours.items() if value}


def in_virtual_host(url: str, vhost: str) -> str:
    """Return an AMQP URL with another virtual host."""
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(vhost, safe="")))


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the management interface refuses into a CommandError. The text of others can hold parts of the URL."""
    try:
        yield
    except HTTPError as error:
        why = f"it answers with HTTP {error.code}: the user needs the tag administrator"
        raise CommandError(Code.REFUSED, "no virtual host can be made", why=why, hint=EXAMPLE) from error
    except (OSError, ValueError, HTTPException) as error:
        what = f"the management interface does not answer ({type(error).__name__})"
        raise CommandError(
            Code.UNREACHABLE, what, hint=f"check {MANAGEMENT}; rabbitmq-diagnostics listeners"
        ) from error
