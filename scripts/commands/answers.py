"""What ends each command and each query: the events or the reply that answer it, and the codes that may refuse it.

Every command may also be refused with one of ANY_COMMAND, every query with one of ANY_QUERY.
"""

from scripts.commands.answer_rows import Answers
from scripts.commands.command_answers import COMMANDS

ANY_COMMAND = (
    "AUTH_REQUIRED",
    "AUTH_FORBIDDEN",
    "IDEMPOTENCY_CONFLICT",
    "MESSAGE_INVALID",
    "MESSAGE_EXPIRED",
)
ANY_QUERY = ("AUTH_REQUIRED", "AUTH_FORBIDDEN", "QUERY_INVALID", "SYSTEM_ERROR")

ABOUT_ONE_ORDER = ("ORDER_ARCHIVED", "ORDER_NOT_FOUND", "ORDER_VERSION_BEHIND")
"""What may refuse a query about one order."""

QUERIES: dict[str, Answers] = {
    "archived_order.get.v1": Answers(("archived_order.shown.v1",), ("ORDER_NOT_FOUND",)),
    "archived_order.list.v1": Answers(("archived_order.listed.v1",), ("ORDER_PARAM_INVALID",)),
    "after_sale.get.v1": Answers(
        ("after_sale.described.v1",), ("AFTERSALE_NOT_FOUND", "ORDER_NOT_FOUND", "ORDER_PARAM_INVALID")
    ),
    "after_sale.list.v1": Answers(("after_sale.listed.v1",), ("ORDER_PARAM_INVALID",)),
    "cart.get.v1": Answers(("cart.shown.v1",)),
    "contact.list.v1": Answers(("contact.listed.v1",)),
    "coupon.list.v1": Answers(("coupon.listed.v1",), ("ORDER_PARAM_INVALID",)),
    "dashboard.get.v1": Answers(("dashboard.shown.v1",)),
    "dispute.get.v1": Answers(("dispute.described.v1",), ("PAY_DISPUTE_NOT_FOUND",)),
    "dispute.list.v1": Answers(("dispute.listed.v1",), ("ORDER_PARAM_INVALID",)),
    "group.get.v1": Answers(("group.described.v1",), ("GROUP_NOT_FOUND",)),
    "order.as_of.v1": Answers(("order.shown_as_of.v1",), ABOUT_ONE_ORDER),
    "order.draft.get.v1": Answers(("order_draft.shown.v1",), ("ORDER_DRAFT_NOT_FOUND",)),
    "order.draft.list.v1": Answers(("order_draft.listed.v1",)),
    "order.explain.v1": Answers(("order.explained.v1",), ABOUT_ONE_ORDER),
    "order.get.v1": Answers(("order.described.v1",), ABOUT_ONE_ORDER),
    "order.history.v1": Answers(("order.history_listed.v1",), ABOUT_ONE_ORDER),
    "order.list.v1": Answers(("order.listed.v1",), ("ORDER_PARAM_INVALID",)),
    "order.preview.v1": Answers(("order.previewed.v1",)),
    "order.stuck.v1": Answers(("order.stuck_listed.v1",), ("ORDER_PARAM_INVALID",)),
    "order.track.v1": Answers(("order.tracked.v1",), ABOUT_ONE_ORDER),
    "payment.get.v1": Answers(("payment.described.v1",), ABOUT_ONE_ORDER),
    "plan.forecast.v1": Answers(
        ("plan.forecast_shown.v1",),
        (
            "PLAN_ALPHA_INVALID",
            "PLAN_DEMAND_INVALID",
            "PLAN_PERIOD_INVALID",
            "PLAN_POINTS_TOO_FEW",
            "PLAN_SALES_TOO_MANY",
            "PLAN_SOURCE_AMBIGUOUS",
        ),
    ),
    "plan.price.v1": Answers(
        ("plan.price_shown.v1",),
        (
            "PLAN_PERIOD_INVALID",
            "PLAN_POINTS_TOO_FEW",
            "PLAN_PRICE_CONSTANT",
            "PLAN_PRICE_INVALID",
            "PLAN_SOURCE_AMBIGUOUS",
        ),
    ),
    "plan.reorder.v1": Answers(
        ("plan.reorder_shown.v1",),
        (
            "INVENTORY_ELSEWHERE",
            "PLAN_ALPHA_INVALID",
            "PLAN_COST_INVALID",
            "PLAN_LEAD_TIME_INVALID",
            "PLAN_POINTS_TOO_FEW",
            "PLAN_SERVICE_LEVEL_INVALID",
            "PLAN_STOCK_INVALID",
        ),
    ),
    "points.get.v1": Answers(("points.shown.v1",)),
    "stock.get.v1": Answers(("stock.shown.v1",), ("INVENTORY_ELSEWHERE",)),
    "subject.export.v1": Answers(("subject.exported.v1",), ("SUBJECT_CURSOR_INVALID",)),
}
"""Type of a query -> what answers it."""

ANSWERS = COMMANDS | QUERIES
