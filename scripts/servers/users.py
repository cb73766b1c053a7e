"""`python -m scripts.servers.users` creates the broker's users, one for each role, as a deployment's first step.

OMS_MANAGEMENT_URL    http://administrator:password@host:15672
OMS_<ROLE>_PASSWORD   password of the role's user; a role without a password gets no user
OMS_VHOST, OMS_PREFIX the virtual host ("/") and the prefix of the names in it ("oms")
"""

import os
import sys

from scripts.servers.management import Management
from scripts.servers.roles import ROLES


def main() -> int:
    """Create or update users and permissions. Running it again changes nothing."""
    management = Management(os.environ["OMS_MANAGEMENT_URL"])
    vhost = os.environ.get("OMS_VHOST", "/")
    passwords = {role: os.environ.get(f"OMS_{role.upper()}_PASSWORD", "") for role in ROLES}
    given = {role: password for role, password in passwords.items() if password}
    management.put_vhost(vhost)
    management.put_roles(given)
    management.grant_roles(vhost, list(given), os.environ.get("OMS_PREFIX", "oms"))
    print(f"users in {vhost}: {', '.join(given)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
