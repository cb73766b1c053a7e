"""The console in a real browser, from its URL to the end of a replay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.console.guard import Guard
from scripts.console.server import serving
from tests.scripts.console.browser import BrowserPage, browser_page
from tests.scripts.console.console_scene import ConsoleScene


async def handle_what_is_sent(scene: ConsoleScene) -> None:
    """Note each replayed letter as handled, as a worker's inbox would, until it is cancelled."""
    while True:
        await scene.pool.execute(
            "WITH sent AS (DELETE FROM outbox WHERE destination = 'queue' RETURNING routing_key, message_id)"
            " INSERT INTO inbox (queue, message_id, body_hash) SELECT routing_key, message_id, '' FROM sent"
        )
        await asyncio.sleep(0.05)


@asynccontextmanager
async def worker(scene: ConsoleScene) -> AsyncIterator[None]:
    """Handle what is sent while the block runs."""
    work = asyncio.create_task(handle_what_is_sent(scene))
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def discard_after_an_edit(page: BrowserPage, letter: str) -> None:
    """Give a letter another body, see that it would die again, and give it up."""
    await page.open(letter)
    await page.click("Try it")
    await page.wait_until("document.title.startsWith('Trial of') && document.body.innerText.includes('invalid')")
    await page.click("Edit it")
    await page.wait_until("document.querySelector('#changes')")
    await page.fill("changes", "request_id=r1")
    await page.click("See what changes")
    await page.wait_until("document.body.innerText.includes('schema refuses the new body')")
    await page.fill("reason", "html was sent")
    await page.click("Keep the new body")
    await page.click("Discard it")
    await page.wait_until("document.title.startsWith('Plan to discard')")
    await page.fill("reason", "nobody needs it")
    await page.click("Discard 1 letter")
    await page.wait_until("document.querySelector('h1 .state').textContent === 'discarded'")


@pytest.mark.processes
@pytest.mark.timeout(300)  # on a bare machine the browser is installed first
async def test_a_group_is_found_planned_replayed_and_watched_to_its_end(scene: ConsoleScene, tmp_path: Path) -> None:
    async with worker(scene), serving(0, Guard(operate=True)) as console, browser_page(tmp_path) as page:
        await page.open(console.url)
        await page.wait_until("document.title.startsWith('Overview') && !location.search")
        await page.click("Dead letters")
        await page.wait_until("document.body.innerText.includes('workers/store/stock.py:77 in add')")
        await page.click("g1")
        await page.click("Plan their replay")
        await page.wait_until("document.body.innerText.includes('3 would be sent')")
        await page.fill("reason", "the row is there now")
        await page.click("Replay 3 letters")
        await page.wait_until("location.pathname === '/replays/1'")
        await page.wait_until("document.querySelector('#progress').textContent === 'of 3 letters: worked 3'")
        await page.wait_until("document.querySelector('h1 .state').textContent === 'finished'")
        await discard_after_an_edit(page, f"http://127.0.0.1:{console.port}/letters/{scene.letters['html']}")
        await page.call("Emulation.setDeviceMetricsOverride", width=400, height=900, deviceScaleFactor=1, mobile=False)
        for path in ("/", "/letters/groups?state=any", "/stuck", "/cases", f"/cases/{scene.case_no}", "/replays"):
            await page.open(f"http://127.0.0.1:{console.port}{path}")
            await page.wait_until(f"location.pathname + location.search === '{path}'")
            assert await page.value("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.faults == []
        assert {urlsplit(url).netloc for url in page.requested if not url.startswith("about:")} == {
            f"127.0.0.1:{console.port}"
        }
    assert await scene.pool.fetchval("SELECT (note, reason)::text FROM replay_runs") == '(ana,"the row is there now")'
