"""Lists and groups of many dead letters read indexes, not letters: a body is about a kilobyte."""

from dataclasses import replace

import pytest

from db.pool import Pool
from db.statements import SQL
from workers.store.dead_letter_lists import LetterFilter

OPEN = LetterFilter(state="open")
PLANS: dict[str, tuple[str, LetterFilter, str]] = {
    "groups": ("groups", OPEN, "Index Only Scan using dead_letters_groups"),
    "groups of a queue": ("groups", replace(OPEN, queues=["stock"]), "Index Only Scan using dead_letters_groups"),
    "how many": ("count", OPEN, "Index Only Scan"),
    "the newest": ("find", OPEN, "Limit->Index Scan Backward"),
    "the newest in any state": ("find", LetterFilter(), "Limit->Index Scan Backward using dead_letters_died"),
    "by message id": ("find", replace(OPEN, message_ids=["m7"]), "dead_letters_message"),
    "by correlation id": ("find", replace(OPEN, correlation_ids=["c"]), "dead_letters_correlation"),
    "about an order": ("find", replace(OPEN, about=["order:7"], conversations=["c"]), "dead_letters_about"),
    "by attempts": ("find", replace(OPEN, attempts_min=9), "dead_letters_groups"),
    "by a rare type": ("find", replace(OPEN, types=["nothing"]), "dead_letters_groups"),
}


@pytest.fixture
async def many_letters(pool: Pool) -> Pool:
    await pool.execute(
        "INSERT INTO dead_letters (queue, message_id, body_hash, type, correlation_id, reason, error_type, fingerprint,"
        " attempts, worker_version, key_id, body, headers, about, died_at, state)"
        " SELECT (ARRAY['stock', 'refunds'])[1 + n % 2], 'm' || n, int4send(n), 't' || n % 5, 'c' || n, 'failed', 'E',"
        " 'f' || n % 50, n % 8, '1', 'k', convert_to(repeat(md5(n::text), 30), 'UTF8'), '', ARRAY['order:' || n],"
        " now() - n * interval '1 s', CASE WHEN n % 10 = 0 THEN 'discarded' ELSE 'open' END"
        " FROM generate_series(1, 8000) n"
    )
    await pool.execute("VACUUM (ANALYZE) dead_letters")
    return pool


async def test_lists_and_groups_of_many_letters_read_indexes(many_letters: Pool) -> None:
    wrong: dict[str, str] = {}
    for what, (name, wanted, scan) in PLANS.items():
        arguments = (*wanted.arguments, *([50] if name == "find" else []))
        rows = await many_letters.fetch(f"EXPLAIN (COSTS OFF) {SQL[f'dead_letter_lists.{name}']}", *arguments)
        plan = "".join(row[0].strip() for row in rows)
        if scan not in plan.replace("  ", "") or "Seq Scan" in plan:
            wrong[what] = "\n".join(row[0] for row in rows)
    assert wrong == {}
