"""Each message of the demo leaves as the user of a role that may send it, once every subscriber listens."""

import asyncio
import re
from pathlib import Path

from messages.registry import MODELS
from scripts.amqp_client import OutgoingMessage
from scripts.demo.client_job import CLIENT_USERS, PUBLISHERS, SUBSCRIBERS, client_queues
from scripts.demo.role_links import ROLE_OF, RoleLinks
from scripts.servers.roles import permissions

DEMO = Path(__file__).parents[3] / "scripts" / "demo"


class FakeLink:
    """A link that connects when the test says so."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.sent: list[str] = []

    async def connected(self) -> None:
        await self.ready.wait()

    async def send(self, message: OutgoingMessage, *, signed: bool = True) -> None:
        self.sent.append(message.type)


def test_every_message_of_the_demo_has_a_sender_with_its_role() -> None:
    source = "".join(path.read_text("utf-8") for path in DEMO.glob("*.py"))
    types = {type_ for type_ in re.findall(r'"([a-z_.]+\.v1)"', source) if hasattr(MODELS.get(type_), "SENDERS")}
    assert len(types) > 10
    for type_ in types:
        assert ROLE_OF.get(type_.removesuffix(".v1"), "storefront") in MODELS[type_].SENDERS, type_


def test_the_users_of_the_demo_may_have_its_queues() -> None:
    allowed = permissions()
    assert set(CLIENT_USERS) <= set(allowed)
    assert set(ROLE_OF.values()) | {"storefront"} == set(PUBLISHERS)
    for name, queue in client_queues("run").items():
        role = name if name in SUBSCRIBERS else "storefront"
        assert re.match(allowed[f"{role}-events"].configure, queue)


async def test_nothing_is_sent_before_every_subscriber_listens() -> None:
    links = {role: FakeLink() for role in PUBLISHERS}
    sending = asyncio.ensure_future(RoleLinks(links).send(OutgoingMessage("sku.upsert.v1", {})))  # type: ignore[arg-type]
    for role, link in links.items():
        await asyncio.sleep(0)
        assert not links["catalogue"].sent, role
        link.ready.set()
    await sending
    assert links["catalogue"].sent == ["sku.upsert.v1"]
