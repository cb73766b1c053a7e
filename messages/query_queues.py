"""The queues of queries, and the queries that each takes. messages/topology.py has all other queues."""

from messages import (
    account_queries,
    after_sale_queries,
    archived_orders,
    contacts,
    dashboards,
    dispute_queries,
    explanations,
    group_queries,
    order_drafts,
    order_queries,
    planning,
    queries,
    stuck_waits,
    subjects,
)
from messages.base import Message

QUERY_QUEUES: dict[str, tuple[type[Message], ...]] = {
    "queries": (
        queries.OrderPreview,
        *order_queries.QUERIES,
        *archived_orders.QUERIES,
        *order_drafts.QUERIES,
        *explanations.QUERIES,
        *account_queries.QUERIES,
        *after_sale_queries.QUERIES,
        *planning.QUERIES,
        *dashboards.QUERIES,
        *dispute_queries.QUERIES,
        *group_queries.QUERIES,
        *stuck_waits.QUERIES,
        subjects.SubjectExport,
        contacts.ContactList,
    )
}
"""Queue of queries -> the queries it takes. They have neither retries nor dead letters: the caller repeats them."""
