"""The currencies that Stripe collects, and how it counts them.

Stripe counts in the minor units of ISO 4217, with these exceptions:

ISK, UGX                 have no decimals, but Stripe wants two that are 00
BHD, JOD, KWD, OMR, TND  have three decimals, of which the last must be 0
MGA                      has none at Stripe and two in ISO 4217: left out, because a refund of a part might not be whole
"""

from workers.providers.parsing import FieldError

_CODES = """
    AED ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP
    CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD
    JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RWF SAR SBD SCR SEK SGD SHP SOS SRD SZL THB TJS TND TOP TRY
    TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
"""
CURRENCIES = frozenset(_CODES.split())
UNITS = {"ISK": 100, "UGX": 100}
"""Stripe's units in one minor unit. In every other currency they are the same."""
TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""The currencies of which Stripe takes only tens of the minor unit."""


def collects(amount: int, currency: str) -> bool:
    """True if Stripe takes this amount, as far as its currency decides that."""
    return currency in CURRENCIES and amount > 0 and (currency not in TENS or amount % 10 == 0)


def to_stripe(amount: int, currency: str) -> int:
    """Our minor units in Stripe's units."""
    return amount * UNITS.get(currency, 1)


def from_stripe(units: int, currency: str) -> int:
    """Stripe's units in our minor units. Raises FieldError if they are not whole."""
    amount, rest = divmod(units, UNITS.get(currency, 1))
    if rest:
        raise FieldError("the amount is not whole")
    return amount
