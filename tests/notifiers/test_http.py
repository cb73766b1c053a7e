"""SMS and push go to a real HTTP service."""

import pytest

from tests.notifiers.fake_letter_service import open_letter_service
from workers.notifiers.http import HttpSender
from workers.notifiers.port import BuyerLetter, LetterAccepted
from workers.providers.calls import ProviderAwayError

LETTER = BuyerLetter("key-1", "order_paid", "7", "en", "+4915112345678", "paid", "It is paid.", "paid", "<p>paid</p>")


async def test_a_service_that_refuses_our_secret_makes_its_queue_wait_and_loses_no_letter() -> None:
    async with open_letter_service() as service:
        sender = HttpSender("sms", service.url, "s3cret", 1.0)
        service.once = "secret"
        with pytest.raises(ProviderAwayError, match=r"^the service of sms refuses our secret: HTTP_401$"):
            await sender.send(LETTER)
        assert service.letters == {}
        assert isinstance(await sender.send(LETTER), LetterAccepted)
        await sender.close()
