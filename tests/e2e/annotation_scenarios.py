"""Remarks and comments: what must exist before n messages of each kind make sense, and the messages."""

from messages.annotations import CommentMark, OrderChangeNote, OrderChangeRemark
from tests.e2e.scenarios import Arrange, delivered, per, placed, unique
from tests.handlers.builders import OPERATOR, user

ANNOTATIONS: dict[str, Arrange] = {
    "order.change_remark": per(placed, lambda key: OrderChangeRemark(
        request_id=unique(), actor=user(), order_id=key, remark="ring twice")),
    "order.change_note": per(placed, lambda key: OrderChangeNote(
        request_id=unique(), actor=OPERATOR, order_id=key, note="ask the courier")),
    "comment.mark": per(delivered, lambda key: CommentMark(request_id=unique(), actor=user(), order_id=key)),
}  # fmt: skip
