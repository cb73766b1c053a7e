"""Settings are read from OMS_* variables; a misspelt variable is an error that names the right one."""

import re
from difflib import SequenceMatcher

import pytest
from pydantic import ValidationError

from db.settings import MISSPELT_RATIO, PREFIX, TESTS_PREFIX, DatabaseSettings
from outbox.settings import RelaySettings
from tests.house.sources import text, tracked
from workers.settings import Settings

MISSPELT_HERE = ("tests/db/test_settings.py", "tests/scripts/test_cli_settings.py")


@pytest.fixture(autouse=True)
def _servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", "postgresql://localhost/oms")
    monkeypatch.setenv("OMS_AMQP_URL", "amqp://localhost/")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("OMS_PREFX", "OMS_PREFIX"),
        ("OMS_PERFIX", "OMS_PREFIX"),
        ("oms_prefxi", "OMS_PREFIX"),
        ("OMS_LEASE_SECOND", "OMS_LEASE_SECONDS"),
        ("OMS_PAYMENT_WINDOW_SECS", "OMS_PAYMENT_WINDOW_SECONDS"),
        ("OMS_ENCRYPTION_KEY", "OMS_ENCRYPTION_KEYS"),
        ("OMS_DATABASE_URI", "OMS_DATABASE_URL"),
        ("OMS_BUSINESS_TIMEZONE", "OMS_BUSINESS_TIME_ZONE"),
        ("OMS_RATE_LIMIT_ORDER", "OMS_RATE_LIMIT_ORDERS"),
    ],
)
def test_a_misspelt_variable_is_an_error_that_names_the_right_one(
    monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.setenv(given, "1")
    with pytest.raises(ValidationError, match=f"there is no setting {given.upper()}: {meant} is meant"):
        Settings()


@pytest.mark.parametrize(
    "name", ["OMS_RABBITMQ_SERVICE_HOST", "OMS_WORKER_PORT_9100_TCP_ADDR", "OMS_RELAY_PORT", "OMS_QUEUES", "OMS_ACTOR"]
)
def test_a_variable_that_resembles_no_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:9100")
    Settings()


@pytest.mark.parametrize("model", [DatabaseSettings, RelaySettings, Settings], ids=lambda model: model.__name__)
def test_no_variable_of_the_project_is_taken_for_a_misspelt_setting(model: type[DatabaseSettings]) -> None:
    own = {name for field in model.model_fields for name in model.variables(field)}
    files = [name for name in tracked() if name not in (*MISSPELT_HERE, "CHANGELOG.md")]
    named = {name for file in files for name in re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", text(file))}
    assert len(named) > 50
    others = {name for name in named - own if not name.startswith(TESTS_PREFIX)}
    close = [(a, b) for a in others for b in own if SequenceMatcher(None, b, a).ratio() >= MISSPELT_RATIO]
    assert close == []


def test_a_value_keeps_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_BUSINESS_TIME_ZONE", "America/New_York")
    monkeypatch.setenv("OMS_DEFAULT_WAREHOUSE", "Hangzhou-1")
    settings = Settings()
    assert (settings.business_time_zone, settings.default_warehouse) == ("America/New_York", "Hangzhou-1")
