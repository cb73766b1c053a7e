"""The settings of notifications to buyers: off by default, by which media, and which worker sends."""

from typing import Any

import pytest

from db.errors import ConfigurationError
from messages.media import Medium
from workers.app import UnknownQueueError, all_routes
from workers.settings import Settings

SERVERS = {"amqp_url": "amqp://worker@broker", "database_url": "postgresql://db", "encryption_keys": "k"}


def settings(**changes: Any) -> Settings:
    return Settings(**{**SERVERS, **changes})


def queues(given: Settings) -> set[str]:
    return {route.queue for route in all_routes((), given) if "notification" in route.queue}


def test_nobody_is_notified_by_default() -> None:
    assert settings().notifications == settings(notifications="off").notifications == ()
    assert queues(settings()) == set()


def test_a_worker_sends_by_the_media_whose_server_it_knows() -> None:
    able = settings(
        notifications="sms, email",
        smtp_url="smtp://mail.example",
        notification_email_from="Shop <orders@shop.example>",
    )
    assert able.notifications == (Medium.EMAIL, Medium.SMS)
    taken = {"buyer-notifications", "notification-calls.email"}
    assert queues(able) == taken | {f"{queue}.dlq" for queue in (*taken, "notification-calls.sms")}
    with pytest.raises(UnknownQueueError, match="OMS_SMS_URL"):
        all_routes(["notification-calls.sms"], able)


def test_a_worker_leaves_the_queue_of_a_medium_that_is_paused() -> None:
    paused = settings(
        notifications="sms,push",
        notifications_paused="sms",
        sms_url="http://sms.example",
        push_url="http://push.example",
    )
    assert {queue for queue in queues(paused) if "calls" in queue and "dlq" not in queue} == {"notification-calls.push"}
    with pytest.raises(UnknownQueueError, match="OMS_NOTIFICATIONS_PAUSED"):
        all_routes(["notification-calls.sms"], paused)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"smtp_url": "smtp://mail.example"}, "OMS_NOTIFICATION_EMAIL_FROM"),
        ({"smtp_url": "http://x", "notification_email_from": "a@shop.example"}, "OMS_SMTP_URL"),
        ({"notification_templates_dir": "/nowhere"}, "OMS_NOTIFICATION_TEMPLATES_DIR"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_worker_at_its_start(changes: dict[str, str], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        assert settings(notifications="email", **changes).notifying


def test_an_unknown_medium_is_refused() -> None:
    with pytest.raises(ValueError, match="'pigeon' is no medium"):
        settings(notifications="email,pigeon")
