"""What ends each command: its events, the usual one first, and the codes of its refusals.

Every command may also be refused with one of ANY_COMMAND (scripts/commands/answers.py); these are in no row.
"""

from scripts.commands.answer_rows import Answers

TO_ONE_ORDER = ("ORDER_NOT_FOUND", "ORDER_STATE_INVALID")
"""What may refuse a command to an order that has to be in a certain state."""

WITH_A_PARCEL = ("AFTERSALE_NOT_FOUND", "AFTERSALE_STATE_INVALID", "LOGISTICS_NUMBER_IN_USE", "ORDER_NOT_FOUND")
"""What may refuse a command that sends the goods of a case."""

TO_ONE_CASE = ("AFTERSALE_NOT_FOUND", "AFTERSALE_STATE_INVALID", "ORDER_NOT_FOUND")
"""What may refuse a command to a case that has to be in a certain state."""

COMMANDS: dict[str, Answers] = {
    "after_sale.apply.v1": Answers(
        ("after_sale.requested.v1",),
        (
            "AFTERSALE_EVIDENCE_INVALID",
            "AFTERSALE_LINE_INVALID",
            "AFTERSALE_QTY_EXCEEDS",
            "AFTERSALE_REASON_INVALID",
            "AFTERSALE_WINDOW_CLOSED",
            "ORDER_ADDRESS_MISSING",
            "ORDER_NOT_FOUND",
            "ORDER_STATE_INVALID",
            "PRODUCT_NOT_FOUND",
            "PRODUCT_NOT_ON_SALE",
            "REFUND_PARAM_INVALID",
        ),
    ),
    "after_sale.cancel.v1": Answers(
        ("after_sale.revoked.v1",), ("AFTERSALE_CANNOT_REVOKE", "AFTERSALE_NOT_FOUND", "ORDER_NOT_FOUND")
    ),
    "after_sale.close.v1": Answers(
        ("after_sale.closed.v1", "after_sale.unreturned.v1"),
        TO_ONE_CASE,
    ),
    "after_sale.inspect.v1": Answers(
        ("after_sale.inspect_passed.v1", "after_sale.inspect_failed.v1", "after_sale.inspecting.v1"),
        (
            "AFTERSALE_LINE_INVALID",
            "AFTERSALE_NOT_FOUND",
            "AFTERSALE_QTY_EXCEEDS",
            "AFTERSALE_STATE_INVALID",
            "ORDER_NOT_FOUND",
        ),
    ),
    "after_sale.receive.v1": Answers(("after_sale.return_received.v1",), TO_ONE_CASE),
    "after_sale.reopen.v1": Answers(
        ("after_sale.reopened.v1",),
        (
            "AFTERSALE_NOT_FOUND",
            "AFTERSALE_QTY_EXCEEDS",
            "AFTERSALE_STATE_INVALID",
            "AFTERSALE_WINDOW_CLOSED",
            "ORDER_NOT_FOUND",
            "ORDER_STATE_INVALID",
        ),
    ),
    "after_sale.review.v1": Answers(
        (
            "after_sale.approved.v1",
            "after_sale.closed.v1",
            "after_sale.refunding.v1",
            "after_sale.rejected.v1",
            "after_sale.unreturned.v1",
        ),
        (
            "AFTERSALE_ALREADY_REVIEWED",
            "AFTERSALE_LINE_INVALID",
            "AFTERSALE_NOT_FOUND",
            "AFTERSALE_REASON_INVALID",
            "AFTERSALE_STATE_INVALID",
            "ORDER_ADDRESS_MISSING",
            "ORDER_NOT_FOUND",
            "PAY_REFUND_EXCEEDS",
            "PRODUCT_NOT_ON_SALE",
        ),
    ),
    "after_sale.send_back.v1": Answers(
        ("send_back.shipped.v1",),
        WITH_A_PARCEL,
    ),
    "after_sale.ship_back.v1": Answers(
        ("after_sale.return_shipped.v1",),
        WITH_A_PARCEL,
    ),
    "cart.put.v1": Answers(("cart.changed.v1",)),
    "cart.remove.v1": Answers(("cart.changed.v1",)),
    "comment.mark.v1": Answers(("comment.marked.v1",), TO_ONE_ORDER),
    "contact.set.v1": Answers(("contact.changed.v1",), ("CONTACT_INVALID",)),
    "coupon.issue.v1": Answers(("coupon.issued.v1",), ("COUPON_NOT_FOUND", "COUPON_NOT_USABLE")),
    "coupon_template.upsert.v1": Answers(
        ("coupon_template.changed.v1", "coupon_template.unchanged.v1"), ("CATALOGUE_REVISION_STEP", "PROMOTION_INVALID")
    ),
    "dispute.submit_evidence.v1": Answers(
        ("dispute.evidence_submitted.v1",),
        ("PAY_DISPUTE_ENDED", "PAY_DISPUTE_NOT_FOUND", "PAY_DISPUTE_OVERDUE", "PAY_EVIDENCE_INVALID"),
    ),
    "fulfilment.get.v1": Answers(("fulfilment.resent.v1",), ("FULFILMENT_NOT_OPEN", "ORDER_NOT_FOUND")),
    "member.upsert.v1": Answers(("member.changed.v1", "member.unchanged.v1"), ("CATALOGUE_REVISION_STEP",)),
    "order.amount.adjust.v1": Answers(
        ("order.amount_changed.v1",),
        (
            "ORDER_AMOUNT_OUT_OF_RANGE",
            "ORDER_NOT_FOUND",
            "ORDER_PARAM_INVALID",
            "ORDER_STATE_INVALID",
            "ORDER_VERSION_CONFLICT",
        ),
    ),
    "order.cancel.v1": Answers(
        ("order.cancelled.v1", "order.cancelling.v1", "orders.changed.v1"), ("ORDER_NOT_CANCELLABLE", "ORDER_NOT_FOUND")
    ),
    "order.cancel_later.v1": Answers(
        ("order_cancellation.scheduled.v1",), ("ORDER_NOT_CANCELLABLE", "ORDER_NOT_FOUND", "ORDER_PARAM_INVALID")
    ),
    "order.cancel_rest.v1": Answers(("order.rest_cancelled.v1",), ("ORDER_NOT_CANCELLABLE", "ORDER_NOT_FOUND")),
    "order.captcha.answer.v1": Answers(("order_captcha.answered.v1",), TO_ONE_ORDER),
    "order.change_address.v1": Answers(
        ("order.address_changed.v1", "orders.changed.v1"),
        ("ORDER_ADDRESS_ALREADY_CHANGED", "ORDER_ADDRESS_INVALID", "ORDER_ADDRESS_LOCKED", "ORDER_NOT_FOUND"),
    ),
    "order.change_note.v1": Answers(("order_note.changed.v1",), ("ORDER_NOT_FOUND",)),
    "order.change_remark.v1": Answers(("order_remark.changed.v1",), TO_ONE_ORDER),
    "order.confirm_receipt.v1": Answers(("order.completed.v1", "orders.changed.v1"), TO_ONE_ORDER),
    "order.create.v1": Answers(
        ("order.created.v1", "order.rejected.v1"),
        (
            "COUPON_ALREADY_LOCKED",
            "COUPON_NOT_FOUND",
            "COUPON_NOT_USABLE",
            "GROUP_ALREADY_JOINED",
            "GROUP_CLOSED",
            "GROUP_FULL",
            "GROUP_GOODS_DIFFER",
            "GROUP_REQUIRED",
            "INVENTORY_INSUFFICIENT",
            "ORDER_ADDRESS_INVALID",
            "ORDER_ADDRESS_MISSING",
            "ORDER_AMOUNT_LIST_INVALID",
            "ORDER_BUSINESS_TYPE_INVALID",
            "ORDER_CHANNEL_INVALID",
            "ORDER_DRAFT_CHANGED",
            "ORDER_DRAFT_IN_USE",
            "ORDER_DRAFT_NOT_FOUND",
            "ORDER_ITEMS_EMPTY",
            "ORDER_PARAM_INVALID",
            "ORDER_PAYMENT_LIST_INVALID",
            "ORDER_PRICE_MISMATCH",
            "ORDER_SAGA_TIMEOUT",
            "POINTS_INSUFFICIENT",
            "POINTS_RULE",
            "PRODUCT_NOT_FOUND",
            "PRODUCT_NOT_ON_SALE",
            "RISK_BLOCKED",
            "RISK_CAPTCHA_REQUIRED",
            "RISK_RATE_LIMITED",
            "USER_INVALID",
        ),
    ),
    "order.delete.v1": Answers(("orders.deleted.v1",), ("ORDER_NOT_DELETABLE", "ORDER_NOT_FOUND")),
    "order.draft.delete.v1": Answers(("order_draft.deleted.v1",), ("ORDER_DRAFT_IN_USE", "ORDER_DRAFT_NOT_FOUND")),
    "order.draft.save.v1": Answers(
        ("order_draft.saved.v1",),
        (
            "ORDER_CHANNEL_INVALID",
            "ORDER_DRAFT_CHANGED",
            "ORDER_DRAFT_IN_USE",
            "ORDER_DRAFT_NOT_FOUND",
            "ORDER_ITEMS_EMPTY",
            "ORDER_PARAM_INVALID",
        ),
    ),
    "order.hold.v1": Answers(("order.held.v1", "orders.changed.v1"), TO_ONE_ORDER),
    "order.import.v1": Answers(
        ("order_import.recorded.v1",),
        (
            "ORDER_CHANNEL_INVALID",
            "ORDER_IMPORT_KNOWN",
            "ORDER_IMPORT_STATE_INVALID",
            "ORDER_IMPORT_TIMES_INVALID",
            "ORDER_IMPORT_UNBALANCED",
            "ORDER_ITEMS_EMPTY",
        ),
    ),
    "order.keep.v1": Answers(("order_cancellation.withdrawn.v1",), ("ORDER_NOT_FOUND", "ORDER_NOT_SCHEDULED")),
    "order.merge.v1": Answers(("order.merged.v1",), ("ORDER_NOT_FOUND", "ORDER_NOT_MERGEABLE")),
    "order.number.issue.v1": Answers(("order_number.issued.v1",), ("ORDER_CHANNEL_INVALID", "PAY_METHOD_INVALID")),
    "order.release.v1": Answers(
        ("order.released.v1", "orders.changed.v1"),
        ("GROUP_NOT_FORMED", "ORDER_HOLD_AMBIGUOUS", "ORDER_NOT_FOUND", "ORDER_NOT_HELD"),
    ),
    "order.shortage.decide.v1": Answers(
        ("order.rest_cancelled.v1", "order.released.v1"), ("ORDER_NOT_FOUND", "ORDER_SHORTAGE_INVALID")
    ),
    "order.shortage.report.v1": Answers(
        ("order.shortage_recorded.v1",),
        ("LOGISTICS_WAREHOUSE_AMBIGUOUS", "ORDER_NOT_FOUND", "ORDER_SHORTAGE_INVALID", "ORDER_STATE_INVALID"),
    ),
    "payment.capture.v1": Answers(("payment.capture_requested.v1",), ("ORDER_NOT_FOUND", "PAY_NOT_AUTHORIZED")),
    "payment.reconcile.v1": Answers(("payment.reconciled.v1",), ("PAY_METHOD_INVALID", "RECONCILE_FILE_INVALID")),
    "payment.start.v1": Answers(
        ("payment.started.v1",),
        (
            "ORDER_NOT_FOUND",
            "ORDER_STATE_INVALID",
            "PAY_ALREADY_PAID",
            "PAY_AMOUNT_MISMATCH",
            "PAY_METHOD_INVALID",
            "PAY_PARAM_INVALID",
            "PAY_PROVIDER_ERROR",
            "PAY_PROVIDER_UNKNOWN",
        ),
    ),
    "points.adjust.v1": Answers(("points.changed.v1",), ("POINTS_INSUFFICIENT", "POINTS_RULE")),
    "points.grant.v1": Answers(("points.changed.v1",), ("POINTS_RULE",)),
    "promotion.upsert.v1": Answers(
        ("promotion.changed.v1", "promotion.unchanged.v1"), ("CATALOGUE_REVISION_STEP", "PROMOTION_INVALID")
    ),
    "refund.request.v1": Answers(
        ("refund.requested.v1",),
        ("ORDER_NOT_FOUND", "PAY_REFUND_EXCEEDS", "REFUND_NOT_ALLOWED", "REFUND_PARAM_INVALID"),
    ),
    "revision.reset.v1": Answers(("revision.changed.v1",), ("CATALOGUE_ENTRY_UNKNOWN",)),
    "settings.set.v1": Answers(
        ("settings.changed.v1", "settings.unchanged.v1"), ("CATALOGUE_REVISION_STEP", "ORDER_BUSINESS_TYPE_INVALID")
    ),
    "shipment.create.v1": Answers(
        ("shipment.booked.v1", "shipment.booking_failed.v1"),
        (
            "LOGISTICS_BOOKING_FAILED",
            "LOGISTICS_WAREHOUSE_AMBIGUOUS",
            "ORDER_HELD",
            "ORDER_NOT_FOUND",
            "ORDER_STATE_INVALID",
        ),
    ),
    "sku.upsert.v1": Answers(("sku.changed.v1", "sku.unchanged.v1"), ("CATALOGUE_REVISION_STEP",)),
    "stock.adjust.v1": Answers(("stock.adjusted.v1",), ("INVENTORY_INVARIANT", "INVENTORY_SKU_UNKNOWN")),
    "stock.end_quarantine.v1": Answers(
        ("stock.quarantine_ended.v1",), ("INVENTORY_INVARIANT", "INVENTORY_SKU_UNKNOWN")
    ),
    "stock.receive.v1": Answers(("stock.received.v1",), ("INVENTORY_INVARIANT",)),
    "stock.threshold.set.v1": Answers(("stock.threshold_changed.v1",)),
    "stock.transfer.v1": Answers(
        ("stock.transferred.v1",), ("INVENTORY_INSUFFICIENT", "INVENTORY_INVARIANT", "ORDER_PARAM_INVALID")
    ),
    "subject.erase.v1": Answers(("subject.erased.v1",), ("SUBJECT_HAS_LIVE_ORDERS",)),
    "warehouse_hours.set.v1": Answers(
        ("warehouse_hours.changed.v1", "warehouse_hours.unchanged.v1"), ("CATALOGUE_REVISION_STEP",)
    ),
    "warehouses.set.v1": Answers(
        ("warehouses.changed.v1", "warehouses.unchanged.v1"), ("CATALOGUE_REVISION_STEP", "ORDER_PARAM_INVALID")
    ),
}
"""Type of a command -> how it may end."""
