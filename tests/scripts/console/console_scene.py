"""What is in the database of the console's tests, and a browser without a screen that sends requests to a console."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from db.pool import Pool
from scripts.console.guard import FORM_TOKEN, Guard
from scripts.console.server import application
from scripts.console.state import STATE


@dataclass(frozen=True)
class ConsoleScene:
    """A database: `letters` are the ids of dead letters by message id."""

    pool: Pool
    url: URL
    order_id: int
    case_no: str
    letters: Mapping[str, int]


@dataclass(frozen=True)
class ConsoleClient:
    """A client of one console, with its cookie if it was let in."""

    http: TestClient[Any, Any]
    guard: Guard

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        """Return status and text of a page; redirects are not followed."""
        async with self.http.get(path, allow_redirects=False, **more) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, *forms: Mapping[str, str], origin: str = "") -> tuple[int, str]:
        """Send a form with the page's token, and return status and text; of a redirect, where it leads."""
        fields = {FORM_TOKEN: self.guard.form_token}
        for form in forms:
            fields |= form
        headers = {"Origin": origin} if origin else None
        async with self.http.post(path, data=fields, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()


@asynccontextmanager
async def console(*, operate: bool = False, enter: bool = True) -> AsyncIterator[ConsoleClient]:
    """Run a console, and `enter` it with the token."""
    app, guard = application(made := Guard(operate=operate)), made
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as http:
        if enter:
            await http.get("/", params={"token": guard.token})
        yield ConsoleClient(http, guard)
        await app[STATE].senders.close()
