"""Sends each message of the outside systems as the broker user whose role may send it."""

from collections.abc import Mapping

from scripts.amqp_client import AmqpClient, OutgoingMessage

ROLE_OF = {
    "sku.upsert": "catalogue",
    "warehouses.set": "catalogue",
    "settings.set": "catalogue",
    "promotion.upsert": "catalogue",
    "coupon_template.upsert": "catalogue",
    "coupon.issue": "marketing",
    "points.grant": "marketing",
    "stock.receive": "warehouse",
    "shipment.book": "warehouse",
    "shipment.create": "warehouse",
    "fulfilment.accept": "warehouse",
    "fulfilment.pick": "warehouse",
    "fulfilment.pack": "warehouse",
    "fulfilment.hand_over": "warehouse",
    "fulfilment.cancel_accepted": "warehouse",
    "fulfilment.cancel_refused": "warehouse",
    "order.shortage.report": "warehouse",
    "after_sale.receive": "warehouse",
    "after_sale.inspect": "warehouse",
    "after_sale.send_back": "warehouse",
    "after_sale.review": "operator",
    "after_sale.close": "operator",
    "refund.request": "operator",
    "order.hold": "operator",
    "order.release": "operator",
    "shipment.update": "carrier",
    "payment.result": "payments",
    "refund.result": "payments",
}
"""Message -> the role that sends it, if no operator does. The storefront sends all others."""


class RoleLinks:
    """The links of all roles, to be used like one."""

    def __init__(self, links: Mapping[str, AmqpClient]) -> None:
        self._links = links
        self._subscribed = False

    async def send(self, message: OutgoingMessage, *, signed: bool = True) -> None:
        """Send the message on the link of its role; see AmqpClient.send.

        The first message waits until every link is connected: the outcome of a command that one role sends is an event
        that another has subscribed to, and a queue that is not bound yet misses it.
        """
        if not self._subscribed:
            for link in self._links.values():
                await link.connected()
            self._subscribed = True
        role = ROLE_OF.get(message.type.rsplit(".", 1)[0], "storefront")
        if not isinstance(message.body, bytes) and (message.body.get("actor") or {}).get("type") == "operator":
            role = "operator"
        await self._links[role].send(message, signed=signed)
