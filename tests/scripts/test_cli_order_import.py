"""`oms order import` brings a file of orders of another system, with a worker and both servers."""

from pathlib import Path

import psycopg
import pytest

from messages.user_shards import shard_of_user
from scripts.commands.order_importing import ImportLine, by_database
from tests.broker import Broker
from tests.handlers.import_builders import imported
from tests.scripts.oms_command import Oms
from tests.scripts.workers import worker


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two orders, of which the second has the payment of the first, a line that does not add up, and no JSON."""
    same = {"provider": "alipay", "trade_no": "old-A-1", "amount": 1237}
    bodies = (imported("A-1"), imported("A-2", payment=same), imported("A-3", payment=same | {"amount": 1}))
    path = tmp_path / "orders.ndjson"
    path.write_bytes(b"\n".join(body.json_bytes for body in bodies) + b"\n\n{\n")
    return path


def test_a_dry_run_lists_what_is_wrong_in_itself_and_sends_nothing(oms: Oms, file: Path) -> None:
    result = oms("order", "import", str(file), "--dry-run", "-o", "json")
    assert [(row["line"], row["external_no"]) for row in result.json] == [(3, "A-3"), (5, None)]
    assert result.json[0]["fault"].startswith("ORDER_IMPORT_UNBALANCED: payment: ")
    assert result.code == 4
    assert "2 of 4 orders are right; dry run: nothing was sent" in result.err


def test_a_file_is_brought_once_however_often_it_is_sent(
    oms: Oms, file: Path, database_url: str, declared_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    monkeypatch.setenv("OMS_PREFIX", declared_broker.names.prefix)
    monkeypatch.setenv("OMS_OPERATOR_AMQP_URL", declared_broker["operator"])
    with worker(declared_broker, database_url, "order-imports"):
        for _ in range(2):
            result = oms("order", "import", str(file), "-o", "json")
            assert [(row["line"], row["fault"].partition(":")[0]) for row in result.json] == [
                (2, "ORDER_IMPORT_KNOWN"),
                (3, "ORDER_IMPORT_UNBALANCED"),
                (5, "it is no JSON"),
            ]
            assert "1 of 4 orders are here" in result.err
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT source, external_no FROM imported_orders").fetchall() == [("old-shop", "A-1")]


def test_an_order_is_looked_for_in_the_cell_of_its_user(oms: Oms, file: Path) -> None:
    users = [f"u{number}" for number in range(100)]
    lines = [ImportLine(1, imported(user_id=user_id)) for user_id in users]
    databases = ["a"] * 32 + ["b"] * 32
    found = {
        url: [line.body.user_id for line in some if line.body] for url, some in by_database(lines, databases).items()
    }
    assert found == {
        "a": [user_id for user_id in users if shard_of_user(user_id) < 32],
        "b": [user_id for user_id in users if shard_of_user(user_id) >= 32],
    }
    assert by_database(lines, ()) == {None: lines}
    result = oms("order", "import", str(file), cells="a:0-31,b:32-63", cell_databases="{}")
    assert "OMS_CELL_DATABASES does not name the database of each cell" in result.err
