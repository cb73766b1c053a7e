"""The start of a worker process: its warnings, and the queues that it serves."""

import pytest
from structlog.testing import capture_logs

from workers import app
from workers.routes import ROUTES
from workers.settings import Settings

NO_TRUSTED_USER = "OMS_TRUSTED_USERS"
NO_OTHER_USER = "OMS_OWN_USERS"


@pytest.mark.parametrize(
    ("trusted", "own", "warned"),
    [
        ("", "", [NO_TRUSTED_USER, NO_OTHER_USER]),
        ("payments", "", [NO_OTHER_USER]),
        ("payments", "worker", [NO_OTHER_USER]),
        ("", "worker,relay", [NO_TRUSTED_USER]),
        ("payments", "worker,relay", []),
    ],
)
def test_a_worker_warns_when_no_trusted_user_is_configured(trusted: str, own: str, warned: list[str]) -> None:
    settings = Settings(
        database_url="postgresql://h/db", amqp_url="amqp://worker:x@h/", trusted_users=trusted, own_users=own
    )
    with capture_logs() as lines:
        app.warn_of_missing_trust(settings)
    assert [line["event"].split()[0] for line in lines] == warned
    assert {line["log_level"] for line in lines} <= {"warning"}


CALLS = {"provider-calls.alipay", "provider-calls.wechat", "provider-calls.unionpay", "provider-calls.paypal"}


def test_a_worker_serves_no_calls_to_a_provider_without_its_settings() -> None:
    every = {route.queue for route in ROUTES}
    assert every >= CALLS
    assert {route.queue for route in app.without_unconfigured_providers(ROUTES, ())} == every - CALLS
    assert {route.queue for route in app.without_unconfigured_providers(ROUTES, {"paypal"})} == every - CALLS | {
        "provider-calls.paypal"
    }


def test_provider_calls_need_the_settings_of_their_provider() -> None:
    routes = app.select_routes(["provider-calls.paypal"])
    assert app.without_unconfigured_providers(routes, {"paypal"}, named=True) == routes
    with pytest.raises(app.UnknownQueueError, match="OMS_PAYPAL"):
        app.without_unconfigured_providers(routes, {"alipay"}, named=True)
