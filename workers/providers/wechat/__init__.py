"""WeChat Pay, APIv3 for merchants who connect directly.

The adapter follows the public documentation: "APIv3 接口规则" (请求签名, 签名验证, 证书和回调报文解密, 微信支付公钥),
"Native 下单", "JSAPI 下单", "H5 下单", "APP 下单", "商户订单号查询订单", "关闭订单", "退款申请", "查询单笔退款",
"支付成功回调通知", "退款结果回调通知", "交易账单文件格式说明".
"""

from workers.providers.wechat.provider import WeChat
from workers.providers.wechat.settings import MerchantKey, WeChatSettings

RETRY_SCHEDULE_SECONDS = (
    15,
    15,
    30,
    180,
    600,
    1200,
    1800,
    1800,
    1800,
    3600,
    10_800,
    10_800,
    10_800,
    21_600,
    21_600,
)
"""WeChat Pay repeats a notification after these pauses until it is answered with 2xx: 24 h 4 min in all."""

__all__ = ["RETRY_SCHEDULE_SECONDS", "MerchantKey", "WeChat", "WeChatSettings"]
