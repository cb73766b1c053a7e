"""Which queries show personal data in clear, who may send them, and the records of them, which are written first.

order.get with a `reveal_reason` shows one address, after_sale.get what people wrote about cases, subject.export
everything about a user. Each is for operators only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from db.pool import Transaction
from messages.after_sale_queries import AfterSaleGet
from messages.envelope import Envelope
from messages.order_queries import OrderGet
from messages.roles import Role
from messages.subjects import SubjectExport
from workers.domain.refusal import Refusal
from workers.services import authorization
from workers.store import accesses, case_lists
from workers.store.accesses import AddressLook, Seen
from workers.views import loading
from workers.views.keys import id_of

EXPORT = "subject.export"


def shows(item: Envelope[Any]) -> bool:
    """True if the answer shows personal data in clear, so that it must be recorded first."""
    return isinstance(item.body, SubjectExport) or _reveals(item)


def _reveals(item: Envelope[Any]) -> bool:
    return isinstance(item.body, OrderGet | AfterSaleGet) and item.body.reveal_reason is not None


def refused(item: Envelope[Any]) -> Refusal | None:
    """Return why the sender may not see this, or None. What is in clear is for a person with the role operator."""
    if _reveals(item):
        is_operator = item.body.actor.type == "operator" and Role.OPERATOR in item.roles
        return None if is_operator else authorization.FORBIDDEN
    return None


async def record(tx: Transaction, items: Sequence[Envelope[Any]]) -> Mapping[int, int]:
    """Record these looks. Returns `id(item)` -> the order of which it may show that; 0 for an export."""
    allowed = [item for item in items if (authorization.unvouched(item) or refused(item)) is None]
    recorded: dict[int, int] = {}
    for item in allowed:
        if isinstance(body := item.body, SubjectExport):
            who, is_first = _sender(item), body.cursor is None
            await accesses.of_export(tx, body.user_id, note=_named(item), reason=EXPORT, actor=who, is_first=is_first)
            recorded[id(item)] = 0
    known = await _orders_of(tx, [item for item in allowed if _reveals(item)])
    looks = [_look(item, key) for item, key in known]
    written = await accesses.of_orders(tx, looks)
    return recorded | {id(item): key for item, key in known if key in written}


async def _orders_of(tx: Transaction, items: Sequence[Envelope[Any]]) -> list[tuple[Envelope[Any], int]]:
    """Each of these queries that names a known order, or a known case, with the id of the order."""
    names = {item.body.order for item in items if item.body.order is not None}
    orders = await loading.find_all(tx, names) if names else {}
    named = {item.body.case for item in items if isinstance(item.body, AfterSaleGet) and item.body.case is not None}
    cases = await case_lists.find(tx, {(name, id_of(name)) for name in named}) if named else {}
    found = []
    for item in items:
        case = cases.get(getattr(item.body, "case", None) or "")
        order_id = orders.get(item.body.order or "") if case is None else case.order_id
        if order_id is not None:
            found.append((item, order_id))
    return found


def _look(item: Envelope[Any], order_id: int) -> AddressLook:
    what: Seen = "case" if isinstance(item.body, AfterSaleGet) else "address"
    return AddressLook(order_id, _sender(item), _named(item), item.body.reveal_reason, what)


def _sender(item: Envelope[Any]) -> str:
    """The sender, as the broker and the permission service have verified it."""
    token = "" if item.subject is None else f", token of {item.subject}"
    return f"{'no broker user' if item.user is None else f'broker user {item.user}'}{token}"


def _named(item: Envelope[Any]) -> str:
    return f"{item.body.actor.type} {item.body.actor.id}"
