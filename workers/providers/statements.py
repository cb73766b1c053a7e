"""Reads a provider's day statement, and refuses values that the database or the wire cannot hold."""

import re
from collections.abc import Sequence
from datetime import date

from messages.base import AMOUNT_MAX
from workers.providers.port import Provider, StatementError, StatementRow

NUMBER_CHARS_MAX = 128  # the length of PayPal's invoice numbers; all others are shorter
_CURRENCY = re.compile(r"[A-Z]{3}")


def read(provider: Provider, content: bytes, day: date) -> Sequence[StatementRow]:
    """Read the rows of the provider's own file. Raises StatementError."""
    rows = provider.statement(content, day)
    for row in rows:
        texts = (row.number, row.trade_no, row.capture_no or "", row.provider_no or "")
        if not all(text.isprintable() and len(text) <= NUMBER_CHARS_MAX for text in texts):
            raise StatementError(f"line {row.line}: expected numbers of at most {NUMBER_CHARS_MAX} letters and digits")
        if not 0 <= row.amount <= AMOUNT_MAX or not _CURRENCY.fullmatch(row.currency):
            raise StatementError(f"line {row.line}: expected an amount up to {AMOUNT_MAX} and a currency")
    return rows
