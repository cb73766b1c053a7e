"""docker-compose.yml has the roles and the shared settings of the code."""

import re
from pathlib import Path

import pytest

from scripts.servers.roles import MAY_SEND, OWN, ROLES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")


def block(name: str) -> str:
    """The text of a top-level extension or a service, with all that is indented under it."""
    found = re.search(rf"^(?P<indent> *){name}:.*\n(?:(?:(?P=indent) +.*)?\n)*", TEXT, re.MULTILINE)
    assert found, name
    return found.group()


def value(name: str) -> str:
    """The value of a variable in the settings that all our processes share."""
    (found,) = re.findall(rf"^  {name}: ([^ \n]+)", block("x-settings"), re.MULTILINE)
    return str(found)


def test_workers_and_relays_trust_the_same_roles_as_the_code() -> None:
    assert set(value("OMS_OWN_USERS").split(",")) == set(OWN)
    assert value("OMS_ROLES") == ";".join(f"{user}={roles}" for user, roles in MAY_SEND.items())


@pytest.mark.parametrize("service", ["workers", "relay"])
def test_every_process_of_ours_has_the_shared_settings(service: str) -> None:
    assert re.search(r"^      <<: \*settings$", block(service), re.MULTILINE)


def test_every_role_gets_a_user() -> None:
    assert {name.lower() for name in re.findall(r"OMS_(\w+)_PASSWORD: ", block("users"))} == set(ROLES)
