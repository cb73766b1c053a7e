"""UnionPay's online gateway, interface version 5.1.0: web, mobile web and app payments in CNY.

The adapter follows open.unionpay.com: "在线网关支付" and "手机支付控件" (消费, 退货, 交易状态查询), "平台接入接口规范"
part 3 (文件接口: ZM files) and part 5 (附录: answer codes), and the comments of UnionPay's own sample code (acp sdk),
which say how often UnionPay sends a notification, what payTimeout does and which answer codes leave a payment open.

- A form posted by the buyer's browser starts a payment (page, wap); an app needs a `tn`, which takes a request.
- Every message is signed with SHA256withRSA over the lower-case hex SHA-256 of its sorted fields, and carries the
  certificate of the key (`signPubKeyCert`), which we check against pinned roots and intermediates.
- A payment cannot be closed: after payTimeout UnionPay refuses the buyer, or refunds late money by itself.
- UnionPay does not notify failed payments. It accepts a refund (respCode 00), and a notification or a query tells later
  how the refund ended.
- (orderId, txnTime) name a transaction. A query carries the time at which the payment started, or at which we first
  requested the refund.
"""

from workers.providers.unionpay.provider import UnionPay
from workers.providers.unionpay.settings import SigningKey, UnionPaySettings

RETRY_SCHEDULE_SECONDS = (0, 60, 120, 240)
"""UnionPay sends a notification up to five times, with these pauses, until it gets HTTP 200 within 10 s."""

__all__ = ["RETRY_SCHEDULE_SECONDS", "SigningKey", "UnionPay", "UnionPaySettings"]
