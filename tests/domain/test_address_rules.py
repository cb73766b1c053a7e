"""Addresses follow the rules of their country, where there are some."""

import pytest

from workers.domain.address_rules import FIELDS, POSTCODES, wrong_address

NOTHING: dict[str, str | None] = dict.fromkeys(FIELDS)
POSTAL_CODES = {
    "CN": ("200001", "20000", "2000011", "20000A"),
    "DE": ("10117", "1011", "D-10117"),
    "GB": ("sw1y 4le", "SW1Y 4L", "12345"),
    "JP": ("1000001", "100-001"),
    "US": ("45202-1234", "4520", "45202-12"),
}


@pytest.mark.parametrize("country", POSTAL_CODES)
def test_a_postal_code_has_the_form_of_its_country(country: str) -> None:
    right, *wrong = POSTAL_CODES[country]
    for postcode in (right, f" {right} ", POSTCODES[country].example, None):
        assert wrong_address(country, NOTHING | {"postcode": postcode}, {}) is None
    for postcode in wrong:
        refusal = wrong_address(country, NOTHING | {"postcode": postcode}, {})
        assert refusal is not None
        assert refusal.details == {"field": "address.postcode", "country": country}
        assert refusal.message == f"a postal code in {country} is such as {POSTCODES[country].example}"


def test_a_country_without_rules_takes_any_address() -> None:
    assert wrong_address("FR", NOTHING | {"postcode": "anything"}, {"US": ("postcode",)}) is None


def test_a_shop_names_the_fields_that_it_wants_in_a_country() -> None:
    required = {"US": ("postcode", "province")}
    fields = NOTHING | {"postcode": "45202", "province": " "}
    refusal = wrong_address("US", fields, required)
    assert refusal is not None
    assert refusal.details["field"] == "address.province"
    assert wrong_address("US", fields | {"province": "OH"}, required) is None
