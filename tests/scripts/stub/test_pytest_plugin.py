"""What the plugin of pytest says to a team that uses it wrongly."""

from typing import TYPE_CHECKING

import pytest

from scripts.commands.problems import CommandError
from tests.broker import Broker

if TYPE_CHECKING:
    from scripts.stub.pytest_plugin import OmsStub  # pytest loads it as a plugin, and rewrites its assertions

pytest_plugins = ("scripts.stub.pytest_plugin",)


@pytest.fixture
def oms_stub_url(broker: Broker) -> str:
    return broker["admin"]


@pytest.fixture
def oms_stub_prefix(broker: Broker) -> str:
    return broker.names.prefix


def test_a_second_stub_and_fields_that_an_event_does_not_have_are_refused(oms_stub: "OmsStub") -> None:
    second = type(oms_stub)(oms_stub.url, oms_stub.names.prefix)
    with pytest.raises(CommandError) as found:
        second.start()
    assert "oms: another stub answers here" in found.value.text
    assert "end the other one" in found.value.hint
    with pytest.raises(
        ValueError, match=r"order\.paid\.v1 cannot be emitted: \$\.orderid: .* allowed: one of order_id"
    ):
        oms_stub.emit("order.paid", orderid="1")
    with pytest.raises(ValueError, match=r"\$\.version: .* allowed: integer"):
        oms_stub.emit("order.paid", version="new")
    assert oms_stub.emit("order.paid", version=7)["version"] == 7
