"""Starting gateways, and telling workers how to use them: files that only their owner can read."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from scripts.gateways.alipay import AlipayGateway
from scripts.gateways.gateway import Gateway
from scripts.gateways.paypal import PayPalGateway
from scripts.gateways.unionpay import UnionPayGateway
from scripts.gateways.wechat import WeChatGateway

KINDS: Mapping[str, type[Gateway]] = {
    kind.name: kind for kind in (AlipayGateway, WeChatGateway, UnionPayGateway, PayPalGateway)
}


@asynccontextmanager
async def running(gateways: Iterable[Gateway], folder: Path) -> AsyncIterator[dict[str, str]]:
    """Run them until the block ends; the environment for workers. `folder` gets keys and configurations."""
    environment = {}
    async with AsyncExitStack() as stack:
        for gateway in gateways:
            stack.push_async_callback(gateway.close)
            await gateway.start()
            environment[f"OMS_{gateway.name.upper()}"] = configured(gateway, folder)
        yield environment


def configured(gateway: Gateway, folder: Path) -> str:
    """Write what a merchant is configured with; the value of its variable."""

    def keep(name: str, content: str) -> str:
        return f"file:{write(folder, f'{gateway.name}_{name}', content).name}"

    text = json.dumps(gateway.configuration(keep), ensure_ascii=False, indent=2)
    return f"file:{folder.resolve() / keep('configuration.json', text).removeprefix('file:')}"


def write(folder: Path, name: str, content: str) -> Path:
    """A file that only its owner can read, in place of what was there."""
    path = folder / name
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(content, "utf-8")
    return path
