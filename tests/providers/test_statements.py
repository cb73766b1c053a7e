"""A statement row that the database or a message cannot hold is rejected with its line, for every provider (R-10)."""

from collections.abc import Sequence
from datetime import date

import pytest

from tests.providers import alipay_builders
from workers.providers import statements
from workers.providers.alipay import Alipay
from workers.providers.port import StatementError, StatementRow

DAY = date(2026, 11, 22)
VALID = StatementRow("capture", "P1", "20261", 8888, "CNY", 6)


class ProviderWithRows(Alipay):
    """A provider that reads these rows in every statement."""

    def __init__(self, *rows: StatementRow) -> None:
        super().__init__(alipay_builders.settings())
        self._rows = rows

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        return self._rows


def test_valid_rows_are_returned() -> None:
    widest = StatementRow("refund", "R" * 128, "", 10**15, "KWD", 7)
    assert statements.read(ProviderWithRows(VALID, widest), b"", DAY) == (VALID, widest)


INVALID = [
    StatementRow("capture", "P" * 129, "1", 1, "CNY", 7), StatementRow("capture", "P1", "1" * 129, 1, "CNY", 7),
    StatementRow("capture", "P\x001", "1", 1, "CNY", 7), StatementRow("capture", "P1", "1\n", 1, "CNY", 7),
    StatementRow("capture", "\u202eP1", "1", 1, "CNY", 7), StatementRow("capture", "P1", "1", -1, "CNY", 7),
    StatementRow("capture", "P1", "1", 10**15 + 1, "CNY", 7), StatementRow("capture", "P1", "1", 1, "cny", 7),
    StatementRow("capture", "P1", "1", 1, "CNYY", 7), StatementRow("capture", "P1", "1", 1, "", 7),
]  # fmt: skip


@pytest.mark.parametrize("row", INVALID, ids=repr)
def test_a_row_that_the_database_cannot_store_is_rejected_with_its_line(row: StatementRow) -> None:
    with pytest.raises(StatementError, match="line 7: expected"):
        statements.read(ProviderWithRows(VALID, row), b"", DAY)
