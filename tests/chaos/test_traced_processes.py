"""The spans of real processes, taken at a collector, are one trace."""

from tests.chaos.deployment import Deployment
from tests.e2e.system import SKU
from tests.e2e.upstream import Upstream, order_body
from tests.telemetry.collector import collecting

TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def test_the_trace_of_an_order_goes_on_from_process_to_process(deployment: Deployment) -> None:
    with collecting() as (endpoint, spans):
        for role in ("worker", "relay"):
            deployment.start(role, OMS_TRACING="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OMS_LOCAL_DISPATCH="off")
        await deployment.run()
        async with Upstream.connect(deployment.broker) as upstream:
            sku = await deployment.query("SELECT min(sku_id) FROM stock") or SKU
            headers = {"traceparent": f"00-{TRACE}-{CLIENT}-01"}
            await upstream.publish("order.create", order_body((sku, 1)), headers=headers)
            (created,) = await upstream.wait_for_events("order.created")
        assert set(await deployment.stop()) == {0}
    mine = {span.id: span for span in spans if span.trace == TRACE}
    steps, at = [], str(created["headers"]["traceparent"]).split("-")[2]
    while at in mine:
        steps.append((mine[at].resource["service.name"], mine[at].name.partition(" ")[0]))
        assert steps[-1][1] != "process" or mine[at].links == [mine[at].parent]
        at = mine[at].parent
    assert at == CLIENT
    # what waits in packs between our own queues has for each item the context of what announced it
    assert steps == [("oms-relay", "publish"), *[("oms-worker", "process")] * 3], "creation, stock, its results"
