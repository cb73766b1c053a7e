"""Every statement is known by name, prepares on the real schema, and the hot ones keep their plans."""

from pathlib import Path

import pytest

from db.pool import Pool
from db.statements import SQL, load


@pytest.mark.parametrize("name", sorted(SQL))
async def test_every_statement_prepares(pool: Pool, name: str) -> None:
    async with pool.acquire() as connection:
        await connection.prepare(SQL[name])


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: a.one\nSELECT 1;\n-- name: a.one\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"a\.one"):
        load(tmp_path)


def test_a_name_in_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: b.one\nSELECT 1;\n")
    with pytest.raises(ValueError, match=r"b\.one"):
        load(tmp_path)
