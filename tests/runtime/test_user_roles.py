"""OMS_ROLES says which broker users have which roles, and is refused with the fault when it cannot be read."""

from typing import Any

import pytest
from pydantic import ValidationError

from messages.roles import EVERY_ROLE, Role
from messages.user_roles import Trust
from workers.settings import Settings

ANNA, SHOP = frozenset({Role.OPERATOR, Role.MARKETING}), frozenset({Role.STOREFRONT})


def settings(**given: Any) -> Settings:
    return Settings(database_url="postgresql://h/db", amqp_url="amqp://oms-worker:x@h/", **given)


READ = [
    "shop=storefront;anna=operator,marketing",
    " shop = storefront ; anna = operator , marketing ; ",
    "shop=storefront\nanna=marketing,operator",
    '{"shop": "storefront", "anna": ["operator", "marketing"]}',
    '{"shop": ["storefront"], "anna": "operator, marketing"}',
    {"shop": SHOP, "anna": ANNA},
]


@pytest.mark.parametrize("given", READ)
def test_roles_are_read_as_text_or_as_json(given: Any) -> None:
    assert settings(roles=given).roles == {"shop": SHOP, "anna": ANNA}


REFUSED = {
    "shop": "'shop' is not user=role,role",
    "shop=": "'shop=' is not user=role,role",
    "=storefront": "'=storefront' is not user=role,role",
    "shop=storefrnot": "'storefrnot' of the user shop is no role; the roles are storefront, payments, warehouse",
    "shop=storefront;shop=operator": "the user shop is named twice",
    '{"shop": "storefront", "shop": "operator"}': "the user shop is named twice",
    '{"shop": []}': "the user shop needs a role",
    '{"shop": 7}': "the user shop needs a role",
    '{"shop": [7]}': "7 of the user shop is no role",
    '{"shop"': "it is no JSON object",
}


@pytest.mark.parametrize(("given", "why"), REFUSED.items())
def test_roles_that_cannot_be_read_are_an_error_that_names_the_fault(given: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(roles=given)
    assert why in str(refused.value)


def test_users_are_bound_to_warehouses_and_carriers_as_text_or_as_json() -> None:
    bound = {"wms": frozenset({"east"}), "anna": frozenset({"main", "north"})}
    for given in ("wms=east; anna=main, north", '{"wms": "east", "anna": ["north", "main"]}', bound):
        trust = settings(warehouse_users=given, carrier_users=given).trust
        assert trust.warehouses == trust.carriers == bound
        assert (trust.warehouses_of("wms"), trust.warehouses_of("eve")) == (bound["wms"], None)
        assert (trust.carriers_of("wms"), trust.carriers_of("oms-worker")) == (bound["wms"], None)
    everyone = "oms-worker=east; anonymous=east"
    trust = settings(warehouse_users=everyone, carrier_users=everyone).trust
    assert trust.warehouses_of("oms-worker") is trust.carriers_of("oms-worker") is None, "we send for all"
    assert trust.warehouses_of(None) == trust.carriers_of(None) == frozenset({"east"})
    for given in ("wms", "wms=east;wms=west", '{"wms": []}', '{"wms": [7]}', f"wms={'x' * 65}"):
        with pytest.raises(ValidationError):
            settings(warehouse_users=given)


def test_the_environment_gives_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_ROLES", "shop=storefront;anna=operator,marketing")
    assert settings().trust.roles_of("anna") == ANNA
    monkeypatch.setenv("OMS_ROLES", "")
    assert settings().trust.roles_of("anna") == frozenset()


def test_by_default_each_role_has_the_user_of_its_name_under_the_prefix() -> None:
    for prefix in ("oms", "shop2"):
        trust = settings(prefix=prefix).trust
        assert {role: trust.roles_of(f"{prefix}-{role}") for role in Role} == {role: {role} for role in Role}
        assert trust.roles_of(f"{prefix}-relay") == trust.roles_of(f"{prefix}-worker") == EVERY_ROLE
    assert settings(prefix="shop2").trust.roles_of("oms-operator") == frozenset()


@pytest.mark.parametrize("user", [None, "stranger", "", "anonymous"])
def test_a_sender_who_is_not_named_has_no_role(user: str | None) -> None:
    assert settings().trust.roles_of(user) == frozenset()
    assert settings(roles="shop=storefront").trust.roles_of(user) == frozenset()


def test_messages_without_a_user_can_be_given_a_role() -> None:
    trust = settings(roles="anonymous=storefront").trust
    assert (trust.roles_of(None), trust.roles_of("stranger")) == (SHOP, frozenset())


def test_our_own_users_have_every_role() -> None:
    assert Trust(frozenset({"w"}), {"w": SHOP}).roles_of("w") == EVERY_ROLE


def test_the_setting_that_roles_replaced_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_TRUSTED_USERS", "payments")
    with pytest.raises(ValidationError, match="OMS_TRUSTED_USERS is replaced by OMS_ROLES"):
        settings()
