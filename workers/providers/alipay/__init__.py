"""Alipay's gateway with `method` and `biz_content`.

Signatures are RSA2, with public keys (公钥模式) or certificates (证书模式).

The adapter follows the public documentation: "自行实现签名", "自行实现验签", "公共错误码", "异步通知说明",
"收单业务账单", "统一收单下单并支付页面接口" (page.pay), "手机网站支付" (wap.pay), "App 支付" (app.pay),
"统一收单线下交易预创建" (precreate), "统一收单交易查询", "统一收单交易关闭", "统一收单交易退款",
"统一收单交易退款查询", "公钥证书签名".

In 证书模式 requests name our certificate and Alipay's roots, and responses name Alipay's certificate. The signature
covers the same text in both modes. Alipay keeps its key when it renews its certificate, so we compare keys and download
nothing.
"""

from workers.providers.alipay.provider import Alipay
from workers.providers.alipay.settings import AlipaySettings

RETRY_SCHEDULE_SECONDS = (240, 600, 600, 3600, 7200, 21_600, 54_000)
"""Alipay repeats a notification after these pauses until it is answered with `success`: 25 hours in all.

Each repeat has the same notify_id and notify_time, so a notification cannot be refused for its age.
"""

__all__ = ["RETRY_SCHEDULE_SECONDS", "Alipay", "AlipaySettings"]
