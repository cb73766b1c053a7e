"""Statements of all providers: what database and wire cannot hold is refused with its line (R-10)."""

from collections.abc import Sequence
from datetime import date

import pytest

from tests.providers import alipay_builders
from workers.providers import statements
from workers.providers.alipay import Alipay
from workers.providers.port import StatementError, StatementRow

DAY = date(2026, 11, 22)
SOUND = StatementRow("capture", "P1", "20261", 8888, "CNY", 6)


class Told(Alipay):
    """A provider whose statement has these rows."""

    def __init__(self, *rows: StatementRow) -> None:
        super().__init__(alipay_builders.settings())
        self._rows = rows

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        """The rows."""
        return self._rows


def test_sound_rows_pass() -> None:
    widest = StatementRow("refund", "R" * 128, "", 10**15, "KWD", 7)
    assert statements.read(Told(SOUND, widest), b"", DAY) == (SOUND, widest)


ODD = [
    StatementRow("capture", "P" * 129, "1", 1, "CNY", 7), StatementRow("capture", "P1", "1" * 129, 1, "CNY", 7),
    StatementRow("capture", "P\x001", "1", 1, "CNY", 7), StatementRow("capture", "P1", "1\n", 1, "CNY", 7),
    StatementRow("capture", "\u202eP1", "1", 1, "CNY", 7), StatementRow("capture", "P1", "1", -1, "CNY", 7),
    StatementRow("capture", "P1", "1", 10**15 + 1, "CNY", 7), StatementRow("capture", "P1", "1", 1, "cny", 7),
    StatementRow("capture", "P1", "1", 1, "CNYY", 7), StatementRow("capture", "P1", "1", 1, "", 7),
]  # fmt: skip


@pytest.mark.parametrize("row", ODD, ids=repr)
def test_what_cannot_be_kept_is_refused_with_its_line(row: StatementRow) -> None:
    with pytest.raises(StatementError, match="line 7: expected"):
        statements.read(Told(SOUND, row), b"", DAY)
