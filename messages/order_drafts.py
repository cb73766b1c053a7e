"""order.draft.*: orders that a buyer saves before placing them. A draft holds no stock and fixes no price."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import (
    Actor,
    AnyInt,
    Command,
    Currency,
    Event,
    ExternalId,
    LongText,
    Moment,
    Name,
    OrderId,
    Part,
    Query,
    Reply,
    RequestId,
)
from messages.orders import LINES_MAX, Address
from messages.roles import FOR_BUYERS, Role


class DraftLine(Part):
    """`qty` units of one SKU that the buyer means to order, from this warehouse if it names one."""

    sku_id: ExternalId
    qty: AnyInt
    warehouse: Name | None = None


class DraftCommand(Command):
    """A change of one user's drafts. `revision` is the one that the client has read: another refuses the command."""

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "order.draft:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId


class OrderDraftSave(DraftCommand):
    """Save a new draft, or with a `draft_id` replace one.

    `keep` names what stays as it is stored, because no answer shows it in clear.
    """

    TYPE: ClassVar[str] = "order.draft.save.v1"
    draft_id: OrderId | None = None
    revision: AnyInt | None = None
    channel: ExternalId
    currency: Currency
    items: Annotated[tuple[DraftLine, ...], Field(max_length=LINES_MAX)]
    address: Address | None = None
    remark: LongText | None = None
    keep: Annotated[tuple[Literal["address", "remark"], ...], Field(max_length=2)] = ()


class OrderDraftDelete(DraftCommand):
    """Delete a draft."""

    TYPE: ClassVar[str] = "order.draft.delete.v1"
    draft_id: OrderId
    revision: AnyInt | None = None


class OrderDraftSaved(Event):
    """The draft is saved under this revision. What is in it is never part of an event."""

    TYPE: ClassVar[str] = "order_draft.saved.v1"
    draft_id: OrderId
    user_id: str
    revision: int


class OrderDraftDeleted(Event):
    """The draft is deleted."""

    TYPE: ClassVar[str] = "order_draft.deleted.v1"
    draft_id: OrderId
    user_id: str


class DraftQuery(Query):
    """A query about one user's drafts."""

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    user_id: ExternalId


class OrderDraftGet(DraftQuery):
    """Ask for one draft."""

    TYPE: ClassVar[str] = "order.draft.get.v1"
    draft_id: OrderId


class OrderDraftList(DraftQuery):
    """Ask for all drafts of a user."""

    TYPE: ClassVar[str] = "order.draft.list.v1"


class DraftAddress(Part):
    """The address of a draft, masked. Of one that cannot be read only the mask is left."""

    country: str
    receiver: str
    phone: str
    detail: str


class DraftShown(Part):
    """A draft. `order_id` is the order that is being placed from it: until that is rejected it cannot be changed.

    It is deleted at `delete_at` unless it is saved again.
    """

    draft_id: OrderId
    revision: int
    channel: str
    currency: str
    items: tuple[DraftLine, ...]
    address: DraftAddress | None
    has_remark: bool
    order_id: OrderId | None
    saved_at: Moment
    delete_at: Moment


class OrderDraftShown(Reply):
    """The answer to order.draft.get."""

    TYPE: ClassVar[str] = "order_draft.shown.v1"
    user_id: str
    draft: DraftShown


class OrderDraftsListed(Reply):
    """The answer to order.draft.list: the drafts, the last saved one first."""

    TYPE: ClassVar[str] = "order_draft.listed.v1"
    user_id: str
    drafts: tuple[DraftShown, ...]


TO_US = (OrderDraftSave, OrderDraftDelete)
"""What the queue of drafts takes."""
QUERIES = (OrderDraftGet, OrderDraftList)
