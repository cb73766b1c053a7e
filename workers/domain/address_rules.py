"""The rules that addresses of a country follow: the form of its postal codes, and the fields that a shop wants.

A country that has no rule here takes any address. A postal code is compared in capital letters.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

FIELDS = ("province", "city", "area", "street", "postcode")
"""The fields of an address that a shop may want in a country. Receiver, phone and detail are always there."""


class PostcodeForm(NamedTuple):
    """The form of a country's postal codes, and an example of one."""

    pattern: re.Pattern[str]
    example: str


POSTCODES: Mapping[str, PostcodeForm] = {
    "CN": PostcodeForm(re.compile(r"[0-9]{6}"), "200001"),
    "DE": PostcodeForm(re.compile(r"[0-9]{5}"), "10117"),
    "GB": PostcodeForm(re.compile(r"(GIR ?0AA|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2})"), "SW1Y 4LE"),
    "JP": PostcodeForm(re.compile(r"[0-9]{3}-?[0-9]{4}"), "100-0001"),
    "US": PostcodeForm(re.compile(r"[0-9]{5}(-[0-9]{4})?"), "45202"),
}
"""Country -> its postal codes."""


def wrong_address(
    country: str, fields: Mapping[str, str | None], required: Mapping[str, Collection[str]]
) -> Refusal | None:
    """Return why nothing can be delivered to an address, or None. `required` has the fields that a shop wants."""
    for name in FIELDS:
        if name in required.get(country, ()) and not (fields[name] or "").strip():
            return _refuse(country, name, f"an address in {country} has a {name}")
    form, postcode = POSTCODES.get(country), fields["postcode"]
    if form is None or postcode is None or form.pattern.fullmatch(postcode.strip().upper()):
        return None
    return _refuse(country, "postcode", f"a postal code in {country} is such as {form.example}")


def _refuse(country: str, field: str, why: str) -> Refusal:
    """Refuse without a word of the address: it is personal data, and this is announced."""
    return Refusal(Code.ORDER_ADDRESS_INVALID, why, {"field": f"address.{field}", "country": country})
