"""Answers subject.export: everything that is kept about a user, in parts of a bounded size."""

import orjson
import structlog

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.subjects import SubjectExport, SubjectExported
from workers.domain.codes import Code
from workers.domain.ids import is_id
from workers.store import exports

ROWS_MAX = 20  # of one statement: an order with everything is a few KB
PART_BYTES = 256 * 1024
NUMBERED = {"orders", "archived_orders", "order_drafts", "notifications", "buyer_notifications", "letters"}
"""Sections whose places are numbers."""
log = structlog.get_logger(__name__)


async def answer(tx: Transaction, body: SubjectExport, broker_user: str | None) -> Reply:
    """Return the part that the cursor names. The log keeps who exported whom, since it shows everything in clear."""
    section, _, after = (body.cursor or exports.SECTIONS[0]).partition(".")
    numeric = section in NUMBERED
    if section not in exports.SECTIONS or (numeric and after and not is_id(after)):
        why = "no part has this cursor: send the `next` of a part"
        return QueryRejected(code=Code.SUBJECT_CURSOR_INVALID, message=why, path="$.cursor")
    log.info("personal data exported", actor=body.actor.id, user_id=body.user_id, broker_user=broker_user)
    return await part(tx, body.user_id, section, after or None)


async def part(tx: Transaction, user_id: str, section: str, after: str | None) -> SubjectExported:
    """Return the rows from this place on, until the part is large enough or nothing is left."""
    opened = await exports.opener(tx, user_id)
    data: dict[str, list[exports.Row]] = {}
    size_bytes = 0
    for name in exports.SECTIONS[exports.SECTIONS.index(section) :]:
        while True:
            rows = await exports.read(tx, name, opened, after=after, rows_max=ROWS_MAX)
            for place, row in rows:
                data.setdefault(name, []).append(row)
                after = place
                size_bytes += len(orjson.dumps(row))
                if size_bytes >= PART_BYTES:
                    return SubjectExported(user_id=user_id, data=data, next=f"{name}.{after}")
            if len(rows) < ROWS_MAX:
                break
        after = None
    return SubjectExported(user_id=user_id, data=data)
