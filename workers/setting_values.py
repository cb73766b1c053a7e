"""The types of settings that are more than a number or a text: amounts by currency, fees by country, rules as JSON."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, Field, StringConstraints

from messages.base import Currency
from messages.catalogue import AfterSaleSettings


def _by_currency(value: Any) -> Any:
    """Refuse an amount without a currency, and say what to type."""
    if isinstance(value, int):
        example = f'{{"CNY": {value}}}'
        raise ValueError(f"{value} has no currency: type {example}, with each currency that you sell in")  # noqa: TRY004
    return value


def _by_country(value: Any) -> Any:
    """Refuse a fee of a country that has no currency, and say what to type."""
    for country, fee in value.items() if isinstance(value, dict) else ():
        if isinstance(fee, int):
            example = f'{{"{country}": {{"EUR": {fee}}}}}'
            raise ValueError(f"the fee of {country} has no currency: type {example}")  # noqa: TRY004
    return value


def _case_rules(value: Any) -> Any:
    return AfterSaleSettings.model_validate_json(orjson.dumps(value)).model_dump(exclude_none=True)


CaseRules = Annotated[dict[str, Any], BeforeValidator(_case_rules)]
Fees = Annotated[dict[Currency, Annotated[int, Field(ge=0, le=10**9)]], BeforeValidator(_by_currency)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
AddressField = Literal["province", "city", "area", "street", "postcode"]
CountryFees = Annotated[dict[Country, Fees], BeforeValidator(_by_country)]
Thresholds = Annotated[dict[Currency, Annotated[int, Field(ge=1, le=10**15)]], BeforeValidator(_by_currency)]
Values = Annotated[dict[Currency, Annotated[int, Field(ge=1, le=10**6)]], BeforeValidator(_by_currency)]
Rates = dict[Annotated[str, StringConstraints(min_length=1, max_length=64)], Annotated[int, Field(ge=0, le=10_000)]]
