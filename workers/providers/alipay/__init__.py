"""Alipay, the gateway with `method` and `biz_content`, RSA2 with public keys (公钥模式) or certificates (证书模式).

Written after its public documentation: "自行实现签名", "自行实现验签", "公共错误码", "异步通知说明", "收单业务账单",
"统一收单下单并支付页面接口" (page.pay), "手机网站支付" (wap.pay), "App 支付" (app.pay),
"统一收单线下交易预创建" (precreate), "统一收单交易查询", "统一收单交易关闭", "统一收单交易退款",
"统一收单交易退款查询", "公钥证书签名".

In 证书模式 requests name our certificate and Alipay's roots, and answers name Alipay's certificate. What is signed
stays the same; Alipay keeps its key when it renews its certificate: the key is what counts, nothing is downloaded.
"""

from workers.providers.alipay.provider import Alipay
from workers.providers.alipay.settings import AlipaySettings

RETRY_SCHEDULE_SECONDS = (240, 600, 600, 3600, 7200, 21_600, 54_000)
"""How long it waits before it sends a notification again that was not answered with `success`: within 25 hours. The
same notify_id and notify_time each time, so no window can be put on them.
"""

__all__ = ["RETRY_SCHEDULE_SECONDS", "Alipay", "AlipaySettings"]
