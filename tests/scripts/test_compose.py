"""docker-compose.yml has the roles and the shared settings of the code."""

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from scripts.servers.roles import USERS
from scripts.servers.users import VARIABLES
from workers.settings import Settings

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


def test_workers_and_relays_have_the_users_of_the_default() -> None:
    """Without OMS_ROLES and OMS_OWN_USERS, users are named after their roles, as the service `users` makes them."""
    assert value("OMS_ROLES") == "${OMS_ROLES:-}"
    assert "OMS_OWN_USERS" not in TEXT
    connecting = re.findall(r"amqp://([a-z-]+):", TEXT)
    assert connecting == ["oms-topology", "oms-worker", "oms-relay"]
    assert {name.removeprefix("oms-") for name in connecting} <= set(USERS)


@pytest.mark.parametrize("service", ["workers", "relay"])
def test_every_process_of_ours_has_the_shared_settings(service: str) -> None:
    assert re.search(r"^      <<: \*settings$", block(service), re.MULTILINE)


def test_every_user_gets_a_password() -> None:
    assert sorted(re.findall(r"(OMS_\w+_PASSWORD): ", block("users"))) == sorted(VARIABLES)


def test_monitoring_is_started_on_request_and_finds_its_files() -> None:
    for service in ("prometheus", "alertmanager", "grafana"):
        assert "    profiles: [monitoring]\n" in block(service), service
        assert re.search(r'ports: \["127\.0\.0\.1:', block(service)), service
    mounted = re.findall(r"^ +- \./(\S+?):/", TEXT, re.MULTILINE)
    assert len(mounted) > 5
    assert [path for path in mounted if not (ROOT / path).exists()] == []
    scraped = (ROOT / "scripts/deploy/prometheus/prometheus.yml").read_text("utf-8")
    for service in ("workers", "relay", "rabbitmq", "alertmanager"):
        assert re.search(rf"\b{service}\b", scraped), service
        assert block(service), service


def test_every_setting_of_a_worker_can_be_given_and_its_metrics_can_be_read() -> None:
    """A name without a value is passed on from the shell, and left out where it is not set there."""
    made_here = {"OMS_AMQP_URL", "OMS_MANAGEMENT_URL", "OMS_OPS_HOST", "OMS_OWN_USERS", "OMS_PREFIX"}
    aliases = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    variables = {
        str(one.choices[0]) if isinstance(one, AliasChoices) else f"OMS_{name.upper()}" for name, one in aliases.items()
    }
    passed = set(re.findall(r"^  (OMS_\w+):", block("x-settings"), re.MULTILINE))
    assert variables - made_here == passed
    for service in ("workers", "relay"):
        assert 'ports: ["127.0.0.1::9100"]' in block(service), service
