"""What people wrote in messages about after-sale cases and disputes, in clear. Who may see it is decided elsewhere."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.after_sales import COMMANDS
from messages.base import free_text_fields
from workers.domain.masking import MASK
from workers.store.free_texts import aad_of

WITH_TEXTS = sorted(model.routing_key() for model in COMMANDS if free_text_fields(model))


async def read(
    tx: Transaction, order_ids: Iterable[int], types: Sequence[str] = WITH_TEXTS
) -> dict[tuple[str, str], str]:
    """Message type and id -> what a person wrote in it, of the messages of these types about these orders.

    Of an erased user, or with a key that is not configured any more, only that is left. What two senders wrote under
    one message id is left out: a step does not say whose it was, and nobody is to see what another wrote.
    """
    about = sorted(str(order_id) for order_id in set(order_ids))
    rows = await tx.fetch(SQL["after_sale_queries.texts"], about, list(types)) if about else []
    senders: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        senders[row["type"], row["message_id"]].add(row["sender"])
    return {key: _opened(row) for row in rows if len(senders[key := (row["type"], row["message_id"])]) == 1}


def _opened(row: Any) -> str:
    aad = aad_of(row["about"], row["type"], row["field"], row["message_id"], row["sender"])
    key = None if row["wrapped"] is None else cipher.Wrapped.of(row)
    try:
        return cipher.current().decrypt(row["key_id"], row["ciphertext"], aad, key).decode()
    except cipher.ErasedError:
        return cipher.ERASED
    except cipher.CipherError:
        return MASK
