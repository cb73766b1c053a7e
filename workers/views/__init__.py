"""Shows one order in the tables of each of the five source documents, which never disagree about it (C-01).

status.py has the table of names and codes, facets.py computes what it needs besides the state, and s0.py to s4.py
each make the tables of one document.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from workers.views import s0, s1, s2, s3, s4
from workers.views.facets import Facets, facets_of
from workers.views.parents import Standing, with_times_of_children
from workers.views.status import ABSENT, SOURCES, Absent, Source, Status, View, view
from workers.views.whole import Whole

DOCUMENTS: dict[Source, Callable[[Whole, Status], dict[str, Any]]] = {
    "s0": s0.document,
    "s1": s1.document,
    "s2": s2.document,
    "s3": s3.document,
    "s4": s4.document,
}


def status_of(source: Source, whole: Whole) -> View:
    """The order's status in the words of the source."""
    children = [Standing(child.head.state, facets_of(child)) for child in whole.children]
    return view(source, whole.head.state, facets_of(whole), children)


def document(source: Source, whole: Whole) -> dict[str, Any] | Absent:
    """The order in the source's own tables: table -> row or rows. ABSENT if the source would have no such order."""
    status = status_of(source, whole)
    if isinstance(status, Absent):
        return ABSENT
    return DOCUMENTS[source](replace(whole, head=with_times_of_children(whole)), status)


__all__ = [
    "ABSENT",
    "SOURCES",
    "Absent",
    "Facets",
    "Source",
    "Standing",
    "Status",
    "View",
    "Whole",
    "document",
    "facets_of",
    "status_of",
    "view",
]
