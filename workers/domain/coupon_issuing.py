"""Issues coupons from templates, within each template's limits in all and per user (R-04)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from workers.domain.codes import Code
from workers.domain.pricing.coupons import CouponScope
from workers.domain.refusal import Refusal


@dataclass(frozen=True)
class Template:
    """The terms of the coupons that it issues. `amount` and `min_amount` are minor units; None means no limit."""

    template_id: str
    name: str
    amount: int
    currency: str
    min_amount: int
    valid_from: datetime
    valid_to: datetime
    per_user_limit: int | None
    count: int | None
    issued: int


def invalid(scope: str, scope_ids: Sequence[str], valid_from: datetime, valid_to: datetime) -> Refusal | None:
    """Refuse terms that no coupon can have: PROMOTION_INVALID with the field that is wrong."""
    needs_ids = scope != CouponScope.ALL
    if needs_ids != bool(scope_ids):
        why = "a scope of SKUs or categories names them, all names none"
        return Refusal(Code.PROMOTION_INVALID, why, {"field": "scope_ids"})
    if valid_from >= valid_to:
        return Refusal(Code.PROMOTION_INVALID, "it ends before it starts", {"field": "valid_to"})
    return None


@dataclass
class Issuing:
    """The locked templates of one batch, and how many coupons the batch has issued from each (`given`).

    `had` maps (template, user) to all coupons that the user ever got from it, used and expired ones too.
    """

    templates: dict[str, Template]
    had: dict[tuple[str, str], int]
    given: dict[str, int] = field(default_factory=dict)

    def issue(self, template_id: str, user_id: str, at: datetime) -> Template | Refusal:
        """Count one more coupon and return the template with its terms, or refuse."""
        template = self.templates.get(template_id)
        if template is None:
            return Refusal(Code.COUPON_NOT_FOUND, "there is no such template", {"template_id": template_id})
        why = self._exhausted(template, user_id, at)
        if why is not None:
            details = {"template_id": template_id, "why": why}
            return Refusal(Code.COUPON_NOT_USABLE, f"the template gives no coupon: {why}", details)
        self.given[template_id] = self.given.get(template_id, 0) + 1
        self.had[template_id, user_id] = self.had.get((template_id, user_id), 0) + 1
        return template

    def _exhausted(self, template: Template, user_id: str, at: datetime) -> str | None:
        issued = template.issued + self.given.get(template.template_id, 0)
        if template.valid_to <= at:
            return "template_expired"
        if template.count is not None and issued >= template.count:
            return "issued_out"
        limit = template.per_user_limit
        if limit is not None and self.had.get((template.template_id, user_id), 0) >= limit:
            return "per_user_limit"
        return None
