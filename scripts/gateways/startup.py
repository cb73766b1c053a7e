"""Starts gateways and writes the configuration files with which workers use them; only their owner can read these."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from scripts.gateways.alipay import AlipayGateway
from scripts.gateways.gateway import Gateway
from scripts.gateways.paypal import PayPalGateway
from scripts.gateways.stripe import StripeGateway
from scripts.gateways.unionpay import UnionPayGateway
from scripts.gateways.wechat import WeChatGateway

GATEWAYS: Mapping[str, type[Gateway]] = {
    kind.name: kind for kind in (AlipayGateway, WeChatGateway, UnionPayGateway, PayPalGateway, StripeGateway)
}


@asynccontextmanager
async def run_gateways(gateways: Iterable[Gateway], folder: Path) -> AsyncIterator[dict[str, str]]:
    """Run the gateways until the block ends; yields the environment for workers.

    `folder` gets keys and configurations.
    """
    environment = {}
    async with AsyncExitStack() as stack:
        for gateway in gateways:
            stack.push_async_callback(gateway.close)
            await gateway.start()
            environment[f"OMS_{gateway.name.upper()}"] = write_configuration(gateway, folder)
        yield environment


def write_configuration(gateway: Gateway, folder: Path) -> str:
    """Write the merchant's configuration of a gateway; return the value of its variable."""

    def write_file(name: str, content: str) -> str:
        return f"file:{write(folder, f'{gateway.name}_{name}', content).name}"

    text = json.dumps(gateway.configuration(write_file), ensure_ascii=False, indent=2)
    return f"file:{folder.resolve() / write_file('configuration.json', text).removeprefix('file:')}"


def write(folder: Path, name: str, content: str) -> Path:
    """Write a file that only its owner can read; replace an older one."""
    path = folder / name
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(content, "utf-8")
    return path
