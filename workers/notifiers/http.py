"""Sends letters by SMS and push: a small protocol of JSON over HTTP, which the shop's own service speaks.

    POST URL    {"to", "title", "text", "language", "kind", "order_id"}
                Idempotency-Key: the same key again is the same letter, which must not be sent twice
                Authorization: Bearer SECRET, if there is one

`to` is the address of the contact as contact.set gave it. 2xx accepts, and so does 409: the key is known. 400, 404, 410
and 422 refuse the letter for good. 401 refuses our secret: the queue of the medium waits, as while the service is away.
After every other answer, and without one, the letter is sent again later.
"""

from http import HTTPStatus

import orjson

from workers.notifiers.port import BuyerLetter, LetterAccepted, LetterAnswer, LetterRefused
from workers.providers.calls import Caller, ProviderAwayError
from workers.providers.port import HttpRequest, HttpResponse, UnknownOutcome

REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY)


class HttpSender:
    """Sends by one medium through the service at `url`."""

    def __init__(self, name: str, url: str, secret: str, timeout_seconds: float) -> None:
        self.name = name
        self._url = url
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})
        self._caller = Caller(self, timeout_seconds)

    async def send(self, letter: BuyerLetter) -> LetterAnswer:
        """Send one letter. Raises ProviderAwayError."""
        answer = await self._caller.call(lambda _: self.request(letter), lambda response, _: self.read(response))
        assert answer is not None, "every request is built"
        return answer

    async def close(self) -> None:
        """Close the connections to the service."""
        await self._caller.close()

    def request(self, letter: BuyerLetter) -> HttpRequest:
        """Build the request."""
        about = {"language": letter.language, "kind": letter.kind, "order_id": letter.order_id}
        content = {"to": letter.address, "title": letter.subject, "text": letter.short} | about
        headers = self._headers | {"idempotency-key": letter.idempotency_key}
        return HttpRequest("POST", self._url, headers, orjson.dumps(content))

    def read(self, response: HttpResponse) -> LetterAnswer:
        """Read the response; its body is of no interest. Raises ProviderAwayError if our secret is refused."""
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise ProviderAwayError(f"the service of {self.name} refuses our secret: HTTP_{response.status}")
        return read_answer(response)


def read_answer(response: HttpResponse) -> LetterAnswer:
    """Say what became of the letter."""
    if 200 <= response.status < 300 or response.status == HTTPStatus.CONFLICT:
        return LetterAccepted()
    code = f"HTTP_{response.status}"
    return LetterRefused(code) if response.status in REFUSALS else UnknownOutcome(code)
