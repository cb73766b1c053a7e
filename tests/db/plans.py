"""The plans of the statements in db/sql: what they read whole, and how they change as tables grow."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from db.pool import LOOKUPS_ONLY
from db.statements import SQL

LOCK = re.compile(r"^LOCK ", re.MULTILINE)  # has no plan
WORD = re.compile(r"\w+")
COSTS = re.compile(r"\s+\(cost=.*?\)$", re.MULTILINE)
READS_ALL = (
    "audit",
    "audit_after_sales",
    "audit_authorizations",
    "audit_benefits",
    "audit_cells",
    "audit_fulfilments",
    "audit_groups",
    "audit_notifications",
    "audit_payments",
    "keys",
    "repairs",
    "case_repairs",
    "dead_letter_lists",
)
"""Families of statements that a person runs and that look at everything."""
LISTS = {
    *("outbox.list_held", "outbox.count_held", "outbox.relays"),
    "holds.list",
}
"""Statements that a person runs, over tables that stay small."""

SMALL = {"outbox_relays", "outbox_shards", "business_policies", "standing_alerts"}
"""Tables whose rows do not grow with the orders."""
_OPEN_LETTERS = {"dead_letters_open": "it has only the letters that wait for a decision"}
_PAUSES = {"consumer_pauses_pkey": "a row is a queue that a person has paused"}
_OPEN_HOLDS = {"order_holds_open": "it has only holds that are open"}
_WAITING = {"outbox_pkey": "it has the messages above the floor that wait, in a few shards"}
ALLOWED = {
    "consumer_pauses.queues": _PAUSES,
    "consumer_pauses.list": _PAUSES,
    "dead_letters.open_counts": _OPEN_LETTERS,
    "holds.count": _OPEN_HOLDS,
    "outbox.backlog": {"outbox_holds_address": "there are holds only while a broker takes no message for an address"},
    "refunds.backlog": {"refunds_excess_open": "it has only refunds that wait for a person"},
    "stuck.find": {"interventions_cancelled_timers": "it has only timers that a person has cancelled, one by one"},
    "stuck.letters": _OPEN_LETTERS,
    "subjects.unpublished": dict.fromkeys(
        ("outbox_sealed", "outbox_held_pkey"),
        "there are few messages with a key that wait to be published",
    ),
}
"""Statement -> index -> why it may be read whole."""
SKIPPED: Mapping[str, Mapping[str, str]] = {
    "doctor.privileges": {"pg_class_relname_nsp_index": "it has the tables of the database"},
    "holds.release": _OPEN_HOLDS,
    "outbox.backlog": _WAITING,
    "overview.outbox": _WAITING,
    "promotions.set_quotas": {"promotion_uses_user": "once for each flash sale; then its quota knows what is sold"},
}
"""Statement -> index -> why it may be read by other columns than its first. Older servers may choose another plan."""
ALLOWED_WHEN_YOUNG = {
    **ALLOWED,
    **dict.fromkeys(("holds.open", "holds.release", "holds.end"), _OPEN_HOLDS),
    "explanations.ended_polls": {"refunds_running": "it has only refunds under way"},
    "outbox.backlog": {**ALLOWED["outbox.backlog"], "outbox_held_id": "held rows, as before; counted up to a limit"},
    "refunds.backlog": {**ALLOWED["refunds.backlog"], "refunds_running": "it has only refunds under way"},
    "subjects.unpublished": {**ALLOWED["subjects.unpublished"], "outbox_held_sealed": "as before"},
    "stuck.find": {
        **ALLOWED["stuck.find"],
        "after_sales_open": "it has only cases that are open",
    },
    "subjects.live": {
        "refunds_running": "it has only refunds under way",
        "payment_disputes_trade": "one page, until the first autoanalyze",
    },
    "timers.backlog": {"timers_wake_at": "it has only orders that wait; counted up to a limit"},
    "benefits.lock_quotas_of": {"promotion_uses_user": "one page, until the first autoanalyze"},
    "benefits.return_quotas": {"promotion_uses_user": "one page, until the first autoanalyze"},
    "preview.coupons": {"coupons_expiry": "one page, until the first autoanalyze"},
    "promotions.set_quotas": {"promotion_quotas_pkey": "a flash sale has one row"},
    "order_queries.named": {"orders_state_created": "one page, until the first autoanalyze"},
    "order_view.snapshots": {"order_snapshots_pkey": "one page, until the first autoanalyze"},
    "reconciliation.refunds": {"reconciliation_rows_pkey": "it has nothing before the first statement of a provider"},
}
"""The same in a database without rows. Its plans are kept until autoanalyze has seen 50 rows of a table."""

LIFE = (
    *(
        "attempts",
        "benefits",
        "carts",
        "commands",
        "holds",
        "ids",
        "inbox",
        "orders",
        "outbox",
        "payments",
        "refunds",
        "shipments",
    ),
    *("stock", "timers", "users", "waybills"),
)
"""Families of statements that lead orders through their life."""
_KEPT = "no row is deleted before it is archived, so only a person has analysed it while it was empty"
_RARE = "few orders come here, and autoanalyze has seen the first of them before there are many"
ALLOWED_WHEN_EMPTIED: Mapping[str, Mapping[str, str]] = {
    "attempts.live": {"payment_attempts_pkey": _RARE},
    "benefits.worth": {"refunds_trade": _RARE, "payment_facts_pkey": _KEPT},
    "holds.release": _OPEN_HOLDS,
    "orders.address_changes": {"user_keys_live": _RARE, "shipments_number": _KEPT},
    "outbox.read_held": {"outbox_held_id": "there are held rows only while a broker refuses an address"},
    "payments.kept": {"refunds_trade": _RARE, "payment_facts_pkey": _KEPT},
    "payments.known": {"payment_facts_order": _KEPT},
    "refunds.captured_for": {"payment_intent_orders_pkey": _RARE},
    "refunds.read": {"refunds_order_id_cause_key": _RARE},
    "shipments.of_orders": {"shipments_number": _KEPT},
    "shipments.save": {"shipments_number": _KEPT},
    "shipments.withdraw": {"shipments_pkey": _RARE, "waybills_pkey": _RARE},
    "stock.delete_counters": {"stock_pkey": _RARE},
    "waybills.read": {"shipments_number": _KEPT},
    "waybills.follow": dict.fromkeys(("shipments_pkey", "waybills_pkey"), "a chore, once in a while"),
}
"""The same for tables of which VACUUM or autoanalyze has found that they are empty: a join may read them whole then."""

SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan")
TABLES_OF_INDEXES = "SELECT indexrelid::regclass::text, indrelid::regclass::text FROM pg_index"
FIRST_COLUMNS = """
SELECT i.indexrelid::regclass::text, a.attname
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
"""
"""Index -> its first column, unless that is an expression."""
WHOLES = "SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits"
"""Partition -> its table; index of a partition -> the index of the table."""
SKIP_SCANS_SINCE = 18_00_00
"""From this version on the planner takes an index without a condition on its first column for a lookup."""
MONTHS_AHEAD = 12
ROWS = """
SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
UNION ALL
SELECT i.inhparent::regclass::text, sum(c.reltuples) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE c.relkind = 'r' GROUP BY 1
"""
CHECKS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND coninhcount = 0
"""
ONE_ROW = """
SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s) ON CONFLICT DO NOTHING', c.oid::regclass,
    string_agg(quote_ident(a.attname), ', '),
    string_agg(format('%L::%s', CASE
        WHEN t.typcategory = 'A' OR t.typname = 'jsonb' THEN '{}' WHEN t.typcategory = 'N' THEN '1'
        WHEN t.typcategory = 'B' THEN 'false' WHEN t.typcategory = 'D' THEN '2020-01-01'
        WHEN t.typcategory = 'T' THEN '1 day' ELSE '' END, format_type(a.atttypid, a.atttypmod)), ', '))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attgenerated = '' AND (NOT c.relispartition OR c.relname LIKE '%\\_first')
GROUP BY c.oid
"""
ROW_COUNTS = """
UPDATE pg_class SET relpages = pg_relation_size(oid) / 8192, reltuples = %s
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
    AND (NOT relispartition OR relname LIKE '%%\\_first%%')
"""
DISTINCT = """
DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
INSERT INTO pg_statistic
SELECT c.oid, a.attnum, c.relkind = 'p', 0, 8, -0.1, k, k, k, k, k, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, CAST(0 AS smallint) k
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    AND (a.atttypid = 'bigint'::regtype OR a.attname ~ '(_id|_no|_hash|stream|key|scope)$')
"""
"""Relation, column, whether of partitions, nulls, width, distinct values. PostgreSQL 17 has no function for it yet."""


def hot() -> dict[str, str]:
    """The statements of workers and relays."""
    return {
        name: text
        for name, text in SQL.items()
        if name.partition(".")[0] not in READS_ALL and name not in LISTS and not LOCK.search(text)
    }


def plans(url: str, *, seqscan: bool = True) -> dict[str, str]:
    """Statement -> its generic plan without costs. Without `seqscan` only what has no index reads a whole table.

    An index of a partition appears under the name of the whole table's.
    """
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:  # asyncpg cannot explain a statement without arguments
        if not seqscan:
            _find_by_indexes(connection)
        wholes: dict[str, str] = dict(connection.execute(WHOLES).fetchall())
        for name, text in hot().items():
            rows = connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()
            plan = COSTS.sub("", "\n".join(row[0] for row in rows))
            found[name] = WORD.sub(lambda word: wholes.get(word[0], word[0]), plan)
    return found


def whole_reads(url: str, rows_min: int | None = None) -> dict[str, set[str]]:
    """Statement -> the indexes, and tables without one that serves, of which its plan reads all entries.

    An index without a condition, or with none on its first column, is read whole, which costs as much as a whole table.
    A scan under a LIMIT that rejects no row stops in time. Small tables do not count, nor those with fewer rows than
    `rows_min`.
    """
    found: dict[str, set[str]] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        _find_by_indexes(connection)
        tables: dict[str, str] = dict(connection.execute(TABLES_OF_INDEXES).fetchall())
        wholes: dict[str, str] = dict(connection.execute(WHOLES).fetchall())
        skips = connection.info.server_version >= SKIP_SCANS_SINCE
        firsts: dict[str, str] = dict(connection.execute(FIRST_COLUMNS).fetchall()) if skips else {}
        rows: dict[str, float] = dict(connection.execute(ROWS).fetchall())
        for name, text in hot().items():
            row = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text}".encode()).fetchone()
            assert row is not None
            for part in _whole_scans(row[0][0]["Plan"], "", firsts):
                if rows.get(tables.get(part, part)) == 0 and tables.get(part, part) in wholes:
                    continue  # a month without orders, of which autoanalyze knows
                scan = wholes.get(part, part)
                table = tables.get(scan, scan)
                if table not in SMALL and (rows_min is None or rows.get(table, 0) >= rows_min):
                    found.setdefault(name, set()).add(scan)
    return found


def scanned(url: str, name: str, arguments: str) -> set[str]:
    """The tables that a statement scans with these arguments, in a session of a command. Empty months do not count."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"PREPARE one AS {SQL[name]}".encode())
        rows = connection.execute(f"EXPLAIN EXECUTE one ({arguments})".encode()).fetchall()
    found = re.findall(r"Seq Scan on (\w+)", "\n".join(row[0] for row in rows))
    return {table for table in found if not re.search(r"_\d{4}_\d{2}$", table)}


def _find_by_indexes(connection: psycopg.Connection[Any]) -> None:
    for name, value in LOOKUPS_ONLY.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])


def _whole_scans(node: Mapping[str, Any], parent: str, firsts: Mapping[str, str]) -> Iterator[str]:
    kind = node["Node Type"]
    if kind in SCANS and not _looks_up(node, firsts) and (parent != "Limit" or "Filter" in node):
        yield node.get("Index Name") or node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _whole_scans(child, kind, firsts)


def _looks_up(node: Mapping[str, Any], firsts: Mapping[str, str]) -> bool:
    first = firsts.get(node.get("Index Name", ""), "")
    return "Index Cond" in node and re.search(rf"\b{first}\b", node["Index Cond"]) is not None


def not_allowed(found: Mapping[str, set[str]], allowed: Mapping[str, Mapping[str, str]]) -> dict[str, set[str]]:
    """What of `found` has no reason in `allowed`, nor in SKIPPED."""
    left = {name: scans - allowed.get(name, {}).keys() - SKIPPED.get(name, {}).keys() for name, scans in found.items()}
    return {name: scans for name, scans in left.items() if scans}


def pretend_rows(url: str, rows: int) -> None:
    """Make the planner take each table for one of so many rows. The database is of no other use then.

    Each table gets one row, and statistics: ten rows for a value of a column that names something, the planner's
    defaults for other columns. Checks are dropped, because the row would violate them. Tables of months have a year.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT make_order_partitions(make_interval(months => %s))", [MONTHS_AHEAD])
        connection.execute("SET session_replication_role = replica")
        for (statement,) in connection.execute(CHECKS).fetchall():
            connection.execute(statement)
        for (statement,) in connection.execute(ONE_ROW).fetchall():
            connection.execute(statement)
        connection.execute(ROW_COUNTS, [rows])
        connection.execute(DISTINCT)
