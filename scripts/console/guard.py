"""Says which requests the console answers: those of a browser that was given the token, from our own pages.

request                                              then
---------------------------------------------------  ---------------------------------------------------------------
to another host than this machine's loopback         refused: another site's name leads to us (DNS rebinding)
of a stylesheet, script or icon of ours              answered: they hold no secret
of / with the token                                  a page that leads on, with a cookie that no other site makes a
                                                     browser send
without the cookie                                   refused
POST of another origin, or without the page's token  refused
POST that changes something, without --operate       refused; to see personal data, which is recorded, is no change
"""

import secrets
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import urlsplit

from aiohttp import web

from scripts.commands.problems import Code, CommandError

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost"})
FORM_TOKEN = "form_token"  # noqa: S105 (the name of a field)
REVEAL = "/reveal"
"""The end of the paths that show personal data, and change nothing."""
STATIC = "/static/"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would not name the origin of our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "oms",
}
"""The headers of every response: nothing is fetched from elsewhere, nothing runs within a page, nothing is kept."""


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass
class Guard:
    """The secrets of one console. The cookie's name is its own, because a browser sends cookies to every port."""

    operate: bool = False
    token: str = field(default_factory=_secret)
    first_token: str = field(default_factory=_secret)
    """Opens one page and no other: --open gives it to a browser as an argument, which others on the machine can see."""
    form_token: str = field(default_factory=_secret)
    cookie_name: str = field(default_factory=lambda: f"oms_console_{secrets.token_hex(4)}")
    cookie: str = field(default_factory=_secret)

    def admits(self, token: str) -> bool:
        """Say whether a token opens the console; the first one does only once."""
        if same(token, self.first_token):
            self.first_token = _secret()
            return True
        return same(token, self.token)

    def knows(self, request: web.Request) -> bool:
        """Say whether a request comes from a browser that was let in."""
        return same(request.cookies.get(self.cookie_name, ""), self.cookie)

    def check(self, request: web.Request) -> None:
        """Raise CommandError unless the request may read the page that it names."""
        check_host(request)
        if request.path.startswith(STATIC):
            return
        if not self.knows(request):
            why = "it has not been opened by the URL that the console printed when it started, or that was another one"
            hint = "oms console, and open the URL that it prints"
            raise CommandError(Code.REFUSED, "this browser may not see the console", why=why, hint=hint)

    async def check_form(self, request: web.Request) -> None:
        """Raise CommandError unless a POST comes from a page of this console, and may do what it wants to do."""
        origin = request.headers.get("Origin")
        given = (await request.post()).get(FORM_TOKEN)
        if origin not in (None, f"http://{request.host}") or not same(str(given or ""), self.form_token):
            hint = "open the page again, and send its form"
            raise CommandError(Code.REFUSED, "the form is not one of this console", why="nothing was done", hint=hint)
        if not self.operate and not request.path.endswith(REVEAL):
            why = "this console is read-only; nothing was done"
            raise CommandError(Code.REFUSED, "nothing can be changed here", why=why, hint="oms console --operate")


def check_host(request: web.Request) -> None:
    """Raise CommandError if the request names another host than this machine's loopback, by whatever port."""
    if _host_of(request) not in LOOPBACK_NAMES:
        why = "it answers to 127.0.0.1 and localhost alone, so that no other site leads a browser here"
        raise CommandError(Code.REFUSED, "the console has another name", why=why, hint="oms console")


def _host_of(request: web.Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:  # such as an open bracket
        return None


def same(given: str, wanted: str) -> bool:
    """Compare secrets in a time that says nothing about where they differ."""
    return compare_digest(given.encode("utf-8", "backslashreplace"), wanted.encode())
