"""`python -m scripts.servers.users` creates the broker's users, as a deployment's first step.

OMS_MANAGEMENT_URL    http://administrator:password@host:15672
OMS_<NAME>_PASSWORD   password of a role's users or of a process's user: OMS_STOREFRONT_PASSWORD is that of
                      oms-storefront and oms-storefront-events; a user without a password is not made
OMS_VHOST, OMS_PREFIX the virtual host ("/") and the prefix of the names in it ("oms")
OMS_CELLS             the cells of a shop that has several, whose users are the same
"""

import os
import re
import sys
import urllib.error
from collections.abc import Mapping

from messages.cells import parse_cells
from scripts.servers.management import Management
from scripts.servers.roles import USERS, password_variable, permissions, user_name

VARIABLES = tuple(dict.fromkeys(password_variable(user) for user in USERS))
_OTHER_PASSWORDS = ("OMS_ADMIN_PASSWORD", "OMS_POSTGRES_PASSWORD")


class WrongSettingsError(Exception):
    """A variable is missing or wrong. The message says which and what to type."""


def given_passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """Return user -> password. Raises WrongSettingsError if a variable names no role, or none is set."""
    named = {name for name in environment if re.fullmatch(r"OMS_[A-Z]+_PASSWORD", name)}
    if unknown := sorted(named - {*VARIABLES, *_OTHER_PASSWORDS}):
        raise WrongSettingsError(f"{unknown[0]} is no password of ours; they are {', '.join(VARIABLES)}")
    given = {user: environment.get(password_variable(user), "") for user in USERS}
    if not any(given.values()):
        raise WrongSettingsError(f"no password is set, so there is no user to make: set {', '.join(VARIABLES)}")
    return {user: password for user, password in given.items() if password}


def create(environment: Mapping[str, str]) -> list[str]:
    """Create or update users and their permissions; return their names. Running it again changes nothing.

    A second shop in the same virtual host has another prefix, and with it users of its own.
    """
    url, prefix = environment.get("OMS_MANAGEMENT_URL", ""), environment.get("OMS_PREFIX") or "oms"
    vhost = environment.get("OMS_VHOST") or "/"
    if not re.match(r"https?://[^/@]*@?[^/:]+", url):
        given = "is not set" if not url else "is no http URL"
        raise WrongSettingsError(
            f"OMS_MANAGEMENT_URL {given}: export OMS_MANAGEMENT_URL=http://administrator:password@host:15672"
        )
    passwords, management = given_passwords(environment), Management(url)
    try:
        allowed = permissions(prefix, parse_cells(environment.get("OMS_CELLS", "")))
    except ValueError as error:
        raise WrongSettingsError(f"OMS_CELLS: {error}") from None
    management.put_vhost(vhost)
    management.put_users(prefix, passwords)
    management.allow(vhost, prefix, {user: one for user, one in allowed.items() if user in passwords})
    return [user_name(prefix, user) for user in passwords]


def main() -> int:
    """Create the users that the environment names. What is wrong is one sentence, without a traceback.

    Any argument prints the help instead.
    """
    if sys.argv[1:]:
        print(f"usage: python -m scripts.servers.users\n\n{__doc__}")
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        print(f"users in {os.environ.get('OMS_VHOST') or '/'}: {', '.join(create(os.environ))}")
    except WrongSettingsError as error:
        print(f"error: {error}", file=sys.stderr)
    except urllib.error.HTTPError as error:
        why = "it takes an administrator's name and password" if error.code == 401 else f"it answered {error.reason}"
        print(f"error: the broker at OMS_MANAGEMENT_URL refused ({error.code}): {why}", file=sys.stderr)
    except OSError as error:
        cause = getattr(error, "reason", None) or error
        print(f"error: the management interface at OMS_MANAGEMENT_URL does not answer: {cause}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
