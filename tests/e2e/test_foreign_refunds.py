"""Money that a provider gives back by itself is in our books: announced, alerted, and never given back again."""

from typing import Any
from uuid import uuid4

from scripts.gateways.gateway import Gateway
from scripts.gateways.paypal import PayPalGateway
from scripts.gateways.stripe import StripeGateway
from tests.e2e.all_providers import AllProviders
from tests.e2e.provider_harness import PAYABLE, ProviderHarness, Purchase

BACK = 400
DISPUTING = ("paypal", "stripe")
"""The providers that report disputes. Stripe withdraws the disputed money at once, PayPal by a reversal of its own."""
WON = {"paypal": "RESOLVED_SELLER_FAVOUR", "stripe": "won"}


def taken_by(gateway: Gateway, dispute_no: str) -> str:
    """What the provider has about a dispute."""
    if isinstance(gateway, PayPalGateway):
        return str(gateway.disputes.find(dispute_no))
    assert isinstance(gateway, StripeGateway)
    return str(gateway.disputes[dispute_no])


async def alert_of(purchase: Purchase) -> dict[str, Any]:
    [alert] = await purchase.provider.upstream.wait_for_events(
        "alert.raised", order_id=purchase.order_id, code="PAY_REFUND_FOREIGN"
    )
    return alert


async def test_a_refund_at_the_providers_own_page_lowers_what_a_cancel_gives_back(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        made = await purchase.refund_at_page(BACK)
        refund = await purchase.wait_for_refund()
        assert (refund["cause"], refund["amount"]) == (f"foreign:{provider.name}:{made['refund_no']}", BACK)
        assert made["refund_no"] in (await alert_of(purchase))["content"]
        await purchase.cancel()
        await purchase.wait_for_refund(amount=PAYABLE - BACK)
        await purchase.assert_state("cancelled")

    await all_providers.run(scenario)


async def test_copies_of_its_notification_change_nothing_and_all_of_it_leaves_nothing_to_give_back(
    all_providers: AllProviders,
) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        await purchase.refund_at_page(BACK)
        await purchase.refund_at_page(PAYABLE - BACK)
        await purchase.wait_for_refund(amount=BACK)
        await purchase.wait_for_refund(amount=PAYABLE - BACK)
        await purchase.cancel()
        assert provider.upstream.events_of("refund.requested", order_id=purchase.order_id) == []

    await all_providers.run(scenario, doubled=1.0)


async def test_a_reversal_is_in_the_books_as_one(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        made = await purchase.refund_at_page(BACK, reversal=True)
        assert (await purchase.wait_for_refund())["cause"] == f"reversal:{provider.name}:{made['refund_no']}"
        assert "took back" in (await alert_of(purchase))["content"]
        await purchase.cancel()
        await purchase.wait_for_refund(amount=PAYABLE - BACK)

    await all_providers.run(scenario, DISPUTING)


async def test_a_dispute_is_announced_and_the_money_that_a_won_one_brings_back_can_be_refunded(
    all_providers: AllProviders,
) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        upstream, order_id = provider.upstream, purchase.order_id
        await purchase.dispute(BACK)
        [opened] = await upstream.wait_for_events("payment.disputed", order_id=order_id)
        assert (opened["state"], opened["amount"]) == ("opened", BACK)
        [alert] = await upstream.wait_for_events("alert.raised", order_id=order_id, code="PAY_DISPUTED")
        assert alert["level"] == "HIGH"
        if provider.name != "stripe":
            await purchase.refund_at_page(BACK, reversal=True)
        reversal = await purchase.wait_for_refund()
        await purchase.dispute(BACK, outcome=WON[provider.name])
        [returned] = await upstream.wait_for_events("refund.returned", order_id=order_id)
        assert (returned["refund_no"], returned["amount"]) == (reversal["refund_no"], BACK)
        await purchase.cancel()
        await purchase.wait_for_refund(amount=PAYABLE)

    await all_providers.run(scenario, DISPUTING)


async def test_a_provider_gets_what_the_shop_says_against_a_dispute_and_takes_it_once(
    all_providers: AllProviders,
) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        upstream, order_id = provider.upstream, purchase.order_id
        await upstream.ship(order_id, f"of-{provider.name}", "outbound")
        await upstream.wait_for_events("order.shipped", order_id=order_id)
        await purchase.dispute(BACK)
        [opened] = await upstream.wait_for_events("payment.disputed", order_id=order_id)
        named = {"provider": provider.name, "dispute_no": opened["dispute_no"]}
        written = {"actor": {"type": "operator", "id": "ops-7"}, "description": "signed by Ada", "to_provider": True}
        await provider.operator.publish("dispute.submit_evidence", {"request_id": uuid4().hex} | written | named)
        [answered] = await upstream.wait_for_events("dispute.evidence_answered", **named)
        assert (answered["state"], answered["order_ids"]) == ("accepted", [order_id])
        taken = taken_by(provider.gateway, opened["dispute_no"])
        assert ("signed by Ada" in taken, f"of-{provider.name}" in taken) == (True, True)
        await provider.operator.publish("dispute.submit_evidence", {"request_id": uuid4().hex} | written | named)
        await upstream.wait_for_events("dispute.evidence_answered", number=2, state="refused", **named)
        await upstream.wait_for_events("alert.raised", order_id=order_id, code="PAY_EVIDENCE_REFUSED")

    await all_providers.run(scenario, DISPUTING)


async def test_operators_find_a_dispute_and_record_once_what_they_submitted_against_it(
    all_providers: AllProviders,
) -> None:
    actor = {"type": "operator", "id": "ops-7"}

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        upstream, operator, order_id = provider.upstream, provider.operator, purchase.order_id
        await purchase.dispute(BACK)
        [opened] = await upstream.wait_for_events("payment.disputed", order_id=order_id)
        dispute_no = opened["dispute_no"]
        named = {"actor": actor, "provider": provider.name, "dispute_no": dispute_no}
        proof = {"evidence": ["proof/1.pdf"], "description": "signed by Ada, 13812345678"}
        first, second = ({"request_id": uuid4().hex} for _ in range(2))
        for submission in (named | first | proof, named | first | proof, named | second | {"evidence": ["a", "b"]}):
            await operator.publish("dispute.submit_evidence", submission)
        await operator.publish("dispute.submit_evidence", named | second | proof)
        recorded = await upstream.wait_for_events("dispute.evidence_submitted", 2, dispute_no=dispute_no)
        assert [(event["number"], event["references"]) for event in recorded] == [(1, 1), (2, 2)]
        assert "proof/1" not in str(recorded)
        assert "13812345678" not in str(recorded)
        await upstream.wait_for_events("command.rejected", code="IDEMPOTENCY_CONFLICT")

        listed = await operator.ask("dispute.list", {"actor": actor, "order": order_id})
        assert listed["answer"] == "dispute.listed.v1"
        assert [(one["dispute_no"], one["state"], one["submissions"]) for one in listed["disputes"]] == [
            (dispute_no, "opened", 2)
        ]
        described = await operator.ask("dispute.get", {"actor": actor, "dispute_no": dispute_no})
        [shown] = described["disputes"]
        assert [one["references"] for one in shown["evidence"]] == [["proof/1.pdf"], ["a", "b"]]
        assert "13812345678" not in str(described)

    await all_providers.run(scenario, ("stripe",))
