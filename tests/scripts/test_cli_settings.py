"""A process that cannot start with its settings says in one sentence which variable is wrong, and shows no value."""

import pytest

from db import cipher
from tests.scripts.oms_command import Oms

SERVERS = {"amqp_url": "amqp://a:b@127.0.0.1:1/", "database_url": "postgresql://x@127.0.0.1:1/x"}


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("OMS_PREFX", "shop", "there is no setting OMS_PREFX: OMS_PREFIX is meant"),
        ("OMS_DELAY", "Foo", "OMS_DELAY: input should be 'ladder' or 'plugin'"),
        (
            "OMS_BUSINESS_TIME_ZONE",
            "Asia/Shangai",
            "OMS_BUSINESS_TIME_ZONE: is no IANA time zone, such as Asia",
        ),
        (
            "OMS_SHIPPING_FEE_MINOR_UNITS",
            "500",
            'OMS_SHIPPING_FEE_MINOR_UNITS: 500 has no currency: type {"CNY": 500}, with each currency that you sell in',
        ),
        (
            "OMS_SHIPPING_FEES_BY_COUNTRY",
            '{"DE": 599}',
            'OMS_SHIPPING_FEES_BY_COUNTRY: the fee of DE has no currency: type {"DE": {"EUR": 599}}',
        ),
        (
            "OMS_FREE_SHIPPING_FROM_MINOR_UNITS",
            '{"yuan": 1}',
            "OMS_FREE_SHIPPING_FROM_MINOR_UNITS: string should match",
        ),
        ("OMS_POINTS_UNIT_MINOR_UNITS", "100", "OMS_POINTS_UNIT_MINOR_UNITS: 100 has no currency"),
        ("OMS_TAX_RATES_BASIS_POINTS", "S3cret", "OMS_TAX_RATES_BASIS_POINTS is not JSON"),
        ("OMS_ALIPAY", "S3cret", "OMS_ALIPAY is no JSON: give an object, or file:PATH of one"),
        ("OMS_ALIPAY", '{"app_private_keys": ["S3cret"]}', "OMS_ALIPAY: app_id: Field required"),
        ("OMS_ALIPAY", "file:/nonexistent.json", "OMS_ALIPAY: /nonexistent.json cannot be read: FileNotFoundError"),
    ],
)
def test_a_worker_names_the_wrong_variable_and_exits_with_1(
    oms: Oms, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = oms("worker", **SERVERS, encryption_keys=cipher.new_key("k1"))
    assert (result.code, result.out) == (1, "")
    lines = result.err.splitlines()
    assert lines[0] == "oms: the settings cannot be used"
    assert lines[1].startswith(f"  why:  {why}")
    assert lines[2].startswith("  next: ")
    assert "S3cret" not in result.err


def test_a_worker_of_a_provider_without_settings_names_the_variable(oms: Oms) -> None:
    result = oms("worker", "--queues", "provider-calls.paypal", **SERVERS, encryption_keys=cipher.new_key("k1"))
    assert result.code == 1
    assert "provider-calls.paypal needs the provider's settings: set OMS_PAYPAL" in result.err


def test_a_relay_names_a_misspelt_variable(oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_LEASE_SECOND", "3")
    result = oms("relay", **SERVERS, encryption_keys=cipher.new_key("k1"))
    assert result.code == 1
    assert "there is no setting OMS_LEASE_SECOND: OMS_LEASE_SECONDS is meant" in result.err
