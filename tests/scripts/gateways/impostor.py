"""An impostor: somebody who knows a merchant's number, but signs with another key."""

from typing import Any

from tests.providers.keys import certificate_pem, private_pem
from tests.scripts.gateways.merchant import Merchant
from workers.providers.configuration import make
from workers.providers.port import Provider


def provider(merchant: Merchant) -> Provider:
    """The merchant's adapter with the impostor's credentials."""
    name = merchant.gateway.name
    for file, content in proofs(merchant.gateway).items():
        (merchant.folder / f"{name}_{file}").write_text(content)
    return make(name, f"file:{merchant.folder / name}_configuration.json")


def proofs(gateway: Any) -> dict[str, str]:
    """File -> the impostor's content in place of the merchant's own."""
    match gateway.name:
        case "alipay":
            return {"app_key.pem": private_pem("stranger")}
        case "wechat":
            return {"merchant_key.pem": private_pem("stranger")}
        case "paypal":
            return {"client_secret": "guessed"}
    certificate = certificate_pem("stranger", gateway.account.certificate_serial)
    return {"merchant_key.pem": private_pem("stranger"), "merchant_certificate.pem": certificate}
