"""UnionPay's online gateway, interface version 5.1.0: web, mobile web and app payments in CNY.

Read from open.unionpay.com: "在线网关支付" and "手机支付控件" (消费, 退货, 交易状态查询), "平台接入接口规范" part 3
(文件接口: ZM files) and part 5 (附录: answer codes), and from the comments of UnionPay's own sample code (acp sdk),
which say how often a notification is sent, what payTimeout does and which answer codes leave a payment open.

- A form posted by the buyer's browser starts a payment (page, wap); an app needs a `tn`, which is asked for.
- Every message is signed with SHA256withRSA over the lower-case hex SHA-256 of its sorted fields, and carries the
  certificate of the key (`signPubKeyCert`), which is checked against pinned roots and intermediates.
- There is nothing to close: after payTimeout UnionPay refuses the buyer, or pays back by itself what came too late.
- Failed payments are not notified; a refund is accepted (respCode 00) and becomes final by a notification or a query.
- (orderId, txnTime) name a transaction: an attempt is asked for by its start, a refund by when it was first asked for.
"""

from workers.providers.unionpay.provider import UnionPay
from workers.providers.unionpay.settings import SigningKey, UnionPaySettings

RETRY_SCHEDULE_SECONDS = (0, 60, 120, 240)
"""A notification is sent five times, this long after one another, until it is answered with HTTP 200 within 10 s."""

__all__ = ["RETRY_SCHEDULE_SECONDS", "SigningKey", "UnionPay", "UnionPaySettings"]
