"""An impostor who knows a merchant's number, but signs with another key."""

from typing import Any

from tests.providers.keys import certificate_pem, private_pem
from tests.scripts.gateways.merchant import Merchant
from workers.providers.configuration import make
from workers.providers.port import Provider


def provider(merchant: Merchant) -> Provider:
    """The merchant's adapter with the impostor's credentials."""
    name = merchant.gateway.name
    for file, content in credentials(merchant.gateway).items():
        (merchant.folder / f"{name}_{file}").write_text(content)
    return make(name, f"file:{merchant.folder / name}_configuration.json")


def credentials(gateway: Any) -> dict[str, str]:
    """File -> the impostor's content in place of the merchant's own."""
    match gateway.name:
        case "alipay":
            return {"app_key.pem": private_pem("impostor")}
        case "wechat":
            return {"merchant_key.pem": private_pem("impostor")}
        case "paypal":
            return {"client_secret": "guessed"}
        case "stripe":
            return {"secret_key": "sk_test_guessed"}
    certificate = certificate_pem("impostor", gateway.account.certificate_serial)
    return {"merchant_key.pem": private_pem("impostor"), "merchant_certificate.pem": certificate}
