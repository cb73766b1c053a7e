"""The console lets nobody else in, changes nothing unasked, shows no personal data, and agrees with the commands."""

import asyncio
import re

import pytest

from messages.dead_letters import DeadLetterDecided
from scripts.console import order_pages
from scripts.console.guard import FORM_TOKEN, HEADERS
from tests.scripts.console.console_scene import ConsoleClient, ConsoleScene, console
from workers.domain.replay_rules import ReplayPlan
from workers.store import replay_runs

PERSONAL = ("13812345678", "Wang Fang", "Nanjing Road")
WHY = {"reason": "the buyer calls", "actor": "bo"}
CHANGES = ("/letters/note", "/letters/discard", "/letters/restore", "/letters/1/edit", "/letters/1/edit/check")


async def test_only_a_browser_with_the_token_is_let_in_and_only_by_a_name_of_the_loopback(scene: ConsoleScene) -> None:
    async with console(enter=False, operate=True) as client:
        async with client.http.get("/") as refused:
            text = await refused.text()
            assert (refused.status, "oms console" in text, "operating as" in text) == (403, True, False)
            assert {name: refused.headers.get(name) for name in HEADERS} == HEADERS
        assert (await client.get("/?token=wrong"))[0] == 403
        assert (await client.get("/static/console.css"))[0] == 200
        async with client.http.get("/", params={"token": client.guard.token}) as entered:
            cookie = entered.headers["Set-Cookie"]
            assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
            assert client.guard.token not in cookie + await entered.text()
        assert (await client.get("/replays"))[0] == 200
        for host in ("evil.example", "127.0.0.1.evil.example:8650", "[", ""):
            assert (await client.get("/replays", headers={"Host": host}))[0] == 403, host
            assert (await client.get(f"/?token={client.guard.token}", headers={"Host": host}))[0] == 403, host
    async with console(enter=False) as client:
        first = client.guard.first_token
        assert [(await client.get(f"/?token={first}"))[0] for _ in range(2)] == [200, 403]


async def test_what_another_page_sends_and_a_read_only_console_change_nothing(scene: ConsoleScene) -> None:
    start = {"plan": "group=g1", **WHY}
    async with console(operate=True) as client:
        for refused in (
            await client.post("/replays", start, {FORM_TOKEN: ""}),
            await client.post("/replays", start, {FORM_TOKEN: "wrong"}),
            await client.post("/replays", start, origin="http://evil.example"),
        ):
            assert (refused[0], "not one of this console" in refused[1]) == (403, True)
        assert (await client.post("/replays", start))[0] == 403  # what it would do was never shown
        for path in CHANGES:
            assert (await client.post(path, WHY, {FORM_TOKEN: ""}))[0] == 403, path
        assert (await client.post("/replays", {"plan": "group=g1"}))[0] == 400  # no reason
    async with console() as client:
        status, text = await client.post("/replays", start)
        assert (status, "read-only" in text) == (403, True)
        for path in ("/replays/1/resume", "/letters/1/edit/reveal", *CHANGES):
            status, text = await client.post(path, WHY)
            assert (status, "oms console --operate" in text) == (403, True), path
        assert (await client.get("/letters/1/edit"))[0] == 403
        assert "read-only" in (await client.get("/letters/discard?group=g1"))[1]
        assert "Start it" not in (await client.get("/replays/plan?group=g1"))[1]
    for table in ("replay_runs", "dead_letter_actions", "dead_letter_edits", "address_accesses"):
        assert await scene.pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_every_page_says_what_is_true_without_personal_data_and_with_everything_escaped(
    scene: ConsoleScene,
) -> None:
    html, order = scene.letters["html"], scene.order_id
    pages = {
        "/": ("5", "open dead letters", "export OMS_MANAGEMENT_URL", "Nothing was ever replayed."),
        "/letters/groups": (
            "Nobody has decided about a dead letter.",
            "KeyError",
            "workers/store/stock.py:77 in add",
            "g1",
            "<code>oms dead-letters groups</code>",
        ),
        "/letters?group=g1&attempts=%3C3": ("3 letters", "stock.receive.v1", "--group g1 --attempts &#39;&lt;3&#39;"),
        "/letters?where=qty%3E5": ("No dead letter fits these filters.",),
        f"/letters/{html}": ("&lt;script&gt;alert(1)&lt;/script&gt;", "Nobody has decided about it."),
        f"/letters/{scene.letters['m0']}": ("workers/store/stock.py:77 in add", "n0"),
        "/orders": (f"/orders/{order}", "awaiting payment"),
        f"/orders/{order}": ("the buyer to pay", "cancelled", "payment.callback", "reserved"),
        "/orders?user=u1&state=delivered": ("delivered",),
        "/cases": (f"/cases/{scene.case_no}", "refunding", "oms cases list"),
        "/cases?order=7": ("No case fits these filters.",),
        "/cases?user=u1;+reboot": ("<code>oms cases list --user &#39;u1; reboot&#39;</code>",),
        f"/cases/{scene.case_no}": (
            "refunding",
            "the money is on its way back",
            "1 accepted, 1 refused",
            "refund.result",
        ),
        "/stuck": ("Nothing waits too long.",),
        "/stuck?kind=release&longer-than=0s": ("Nothing waits too long for that.",),
        "/replays": ("Nothing was ever replayed.",),
        "/replays/plan?group=g1": ("3 would be sent", "Start it"),
        f"/replays/plan?id={html}": ("0 would be sent", "refused", "would die again"),
    }
    async with console(operate=True) as client:
        for path, parts in pages.items():
            status, text = await client.get(path)
            assert status == 200, (path, text)
            assert [part for part in parts if part not in text] == [], (path, text)
            assert [one for one in (*PERSONAL, "<script>alert") if one in text] == [], path
            assert not re.search(r'\sstyle=|\son\w+=|<style|(href|src|action)="[a-z]+:', text), path


async def test_older_orders_follow_from_page_to_page(scene: ConsoleScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_pages, "ORDERS_SHOWN", 1)
    wanted = {f"/orders/{row['id']}" for row in await scene.pool.fetch("SELECT id FROM orders")}
    async with console() as client:
        for path in ("/orders", "/orders?from=3d"):
            found, more = list[str](), path
            while more:
                status, text = await client.get(more)
                assert status == 200, (more, text)
                found += re.findall(r'"(/orders/\d+)"', text)
                link = re.search(r'class="button" href="([^"]*)">Older orders', text)
                more = "/orders" + link[1].replace("&amp;", "&") if link else ""
            assert (len(found), set(found)) == (len(wanted), wanted)


async def test_what_is_mistyped_is_explained_with_what_to_type(scene: ConsoleScene) -> None:
    async with console(operate=True) as client:
        wrong = {
            "/letters?quue=stock": (400, "There is no filter quue"),
            "/letters?queue=stok": (400, "oms dead-letters list --queue stock"),
            "/letters/999": (404, "no dead letter 999"),
            "/letters/x": (400, "x is no id"),
            "/orders/nothing": (404, "oms order find nothing"),
            "/stuck?longer-than=soon": (400, "30m, 2h or 3d"),
            "/stuck?kind=x": (400, "a kind is one of release"),
            "/orders/%E2%80%AE%00": (404, "No such id"),
            "/orders/%E2%80%AE": (404, "No order \\u202e"),
            "/letters/" + 5_000 * "9": (400, "is no id"),
            "/replays/" + 5_000 * "9": (400, "is no replay"),
            "/letters/discard?id=" + 5_000 * "9": (400, "is no id"),
            "/cases/7": (404, "oms cases list --newest"),
            "/cases/%00": (404, "oms cases list --newest"),
            "/cases/" + 65 * "9": (404, "oms cases list --newest"),
            "/cases?cursor=x": (404, "oms cases list --help"),
            "/cases?state=%00": (400, "oms cases list --help"),
            "/replays/7": (404, "oms replays list"),
            "/replays/plan": (400, "oms dead-letters groups"),
            "/replays/plan?id=-": (400, "- is no id"),
            "/nothing": (404, "no such page"),
            "/static/../guard.py": (404, "no such page"),
        }
        for path, (wanted, part) in wrong.items():
            status, text = await client.get(path)
            assert (status, part in text.replace("&#39;", "'")) == (wanted, True), (path, status, text)


async def test_personal_data_is_shown_for_a_reason_and_it_is_recorded_who_saw_it(scene: ConsoleScene) -> None:
    paths = {
        f"/orders/{scene.order_id}/reveal": "Nanjing Road",
        f"/letters/{scene.letters['html']}/reveal": "Wang Fang",
        f"/cases/{scene.case_no}/reveal": "torn, call 13812345678",
    }
    async with console() as client:
        for path in paths:
            assert (await client.post(path, WHY, {"reason": " \x00"}))[0] == 400
            too_long = await client.post(path, WHY, {"reason": "x" * 501})
            assert (too_long[0], "has at most 500 characters" in too_long[1]) == (400, True)
            assert (await client.post(path, WHY, {"actor": ""}))[0] == 400
            assert await scene.pool.fetchval("SELECT count(*) FROM address_accesses WHERE note = 'bo'") == 0
        for path, personal in paths.items():
            status, text = await client.post(path, WHY)
            assert (status, personal in text) == (200, True), text
            assert personal not in (await client.get(path.removesuffix("/reveal")))[1]
    seen = await scene.pool.fetch(
        "SELECT order_id, dead_letter_id FROM address_accesses WHERE (note, reason) = ('bo', $1)", WHY["reason"]
    )
    case_order = await scene.pool.fetchval("SELECT order_id FROM after_sales")
    assert {tuple(row) for row in seen} == {
        (scene.order_id, None),
        (case_order, None),
        (None, scene.letters["html"]),
    }


def field(text: str, name: str) -> str:
    """The value of a field of a form."""
    [value] = re.findall(rf'name="{name}" value="([^"]*)"', text)
    return str(value).replace("&amp;", "&")


async def planned(client: ConsoleClient, path: str) -> dict[str, str]:
    """The fields that a plan's form sends besides reason and actor."""
    _, text = await client.get(path)
    return {name: field(text, name) for name in ("plan", "at", "last", "digest")}


async def test_a_replay_is_the_plan_that_was_shown_and_recorded_as_that_of_the_command(scene: ConsoleScene) -> None:
    async with console(operate=True) as client:
        stale = await planned(client, "/replays/plan?group=g1")
        await scene.pool.execute("UPDATE dead_letters SET repeats = repeats + 1 WHERE message_id = 'm1'")
        status, text = await client.post("/replays", stale, WHY)
        assert (status, "changed meanwhile" in text) == (403, True)
        assert (await client.post("/replays", stale, WHY, {"digest": ""}))[0] == 403

        plan = await planned(client, "/replays/plan?group=g1")
        assert (await client.post("/replays", plan, WHY, {"rate": "fast"}))[0] == 400
        assert (await client.post("/replays", plan, WHY, {"canary": "-1"}))[0] == 400
        assert (await client.post("/replays", plan, WHY, {"canary": 5_000 * "9"}))[0] == 400
        status, place = await client.post("/replays", plan, WHY, {"rate": "1/m"})
        assert (status, place) == (303, "/replays/1")
        run = await scene.pool.fetchrow("SELECT * FROM replay_runs")
        assert run is not None
        assert (run["selection"], run["note"], run["reason"], run["rate_per_minute"]) == (
            "--group g1",
            "bo",
            WHY["reason"],
            1,
        )
        async with asyncio.timeout(10):
            while not await scene.pool.fetchval(
                "SELECT count(*) FROM dead_letter_actions WHERE (action, note) = ('replay', 'bo')"
            ):
                await asyncio.sleep(0.02)

        assert (await client.post(f"{place}/pause", {"actor": "bo"}))[0] == 400
        assert (await client.post(f"{place}/pause", WHY)) == (303, place)
        assert "Nothing is sent until it is resumed." in (await client.get(place))[1]
        assert (await client.post(f"{place}/resume", WHY)) == (303, place)
        assert "This console sends it." in (await client.get(place))[1]
        assert (await client.post(f"{place}/cancel", WHY)) == (303, place)
        assert (await client.post(f"{place}/cancel", WHY))[0] == 403  # it is over
    await scene.pool.execute("UPDATE dead_letters SET repeats = repeats + 1 WHERE fingerprint = 'g1'")
    async with console() as reader:  # what it finds out, it does not note
        assert re.search("died again [12]", (await reader.get(place))[1])  # two if it was sent on before the cancel
    assert not await scene.pool.fetchval("SELECT count(*) FROM replay_run_letters WHERE outcome IS NOT NULL")
    announced = await scene.pool.fetchval("SELECT count(*) FROM outbox WHERE type = $1", DeadLetterDecided.TYPE)
    assert announced >= 4  # to start, pause, resume and cancel it; and to reveal a letter, in the test before


async def test_the_letters_of_a_large_replay_are_counted_seldom_and_once_it_is_finished_no_more(
    scene: ConsoleScene,
) -> None:
    async with scene.pool.acquire() as tx:
        plan = ReplayPlan(60, 0, 60, 95, 1, one_try=False)
        run_id = await replay_runs.create(tx, plan, selection="--all", reason="large", note="bo")
        await tx.execute(
            "INSERT INTO replay_run_letters (run_id, place, dead_letter_id, queue, planned_state, repeats, message_id,"
            " outcome) SELECT $1, n, $2, 'stock', 'open', 0, 'm', 'left_out' FROM generate_series(1, 4004) n",
            run_id,
            scene.letters["m0"],
        )
        async with console() as reader:
            assert 'data-live="3"' in (await reader.get(f"/replays/{run_id}"))[1]
            await tx.execute("UPDATE replay_runs SET state = 'finished' WHERE id = $1", run_id)
            assert "4,004" in (await reader.get("/replays"))[1]
            await tx.execute("DELETE FROM replay_run_letters WHERE run_id = $1", run_id)
            assert "4,004" in (await reader.get("/replays"))[1]
