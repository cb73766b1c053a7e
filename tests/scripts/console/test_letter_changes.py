"""The console discards, restores and edits dead letters as the commands do: what was shown, or nothing."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from scripts.commands import trial_runs
from scripts.console.edit_pages import lines_ended_as_in, side_by_side
from scripts.console.letter_pages import decisions_of
from tests.scripts.console.console_scene import ConsoleClient, ConsoleScene, console
from tests.scripts.letters import letter
from workers.store import dead_letters

WHY = {"reason": "the buyer calls", "actor": "bo"}
BODY = {"ref": "n1", "sku_id": "s1", "warehouse": "main", "qty": "two", "remark": "for Wang Fang, flat #7"}


@pytest.fixture
async def ids(scene: ConsoleScene) -> AsyncIterator[list[int]]:
    """Three letters of a group of their own."""
    about: dict[str, Any] = {"queue": "stock", "type": "stock.receive.v1", "fingerprint": "g2", "error_path": None}
    alike = [letter(f"c{number}", body=orjson.dumps(BODY), **about) for number in range(4)]
    async with scene.pool.acquire() as tx:
        await dead_letters.keep(tx, alike[:3])
        yield [row["id"] for row in await tx.fetch("SELECT id FROM dead_letters WHERE fingerprint = 'g2' ORDER BY id")]
        await tx.execute("DELETE FROM dead_letter_actions; DELETE FROM dead_letter_edits; DELETE FROM address_accesses")
        await tx.execute("DELETE FROM dead_letters WHERE fingerprint = 'g2'")


async def shown(client: ConsoleClient, path: str) -> dict[str, str]:
    """The hidden fields of the form that a page shows, but for its token."""
    status, text = await client.get(path)
    assert status == 200, text
    found = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', text)
    return {name: value.replace("&amp;", "&") for name, value in found if name != "form_token"}


def test_a_browser_changes_no_line_ends_of_a_body() -> None:
    for shown in ("a\nb\n", "a\r\nb\r\n", "a\rb", "a\r\nb\nc", "a", ""):
        sent = "\r\n".join(shown.splitlines()) + "\r\n" * shown.endswith("\n")
        assert lines_ended_as_in(shown, sent) == shown
    assert lines_ended_as_in("a\nb", "a\r\nb\r\nc") == "a\nb\nc"
    assert lines_ended_as_in("a\r\nb", "a\r\nc") == "a\r\nc"
    assert lines_ended_as_in("a\r\nb\nc", "a\r\nb\r\nd") == "a\nb\nd", "of mixed ends nothing is known"


async def test_a_group_is_discarded_and_restored_as_it_was_shown(scene: ConsoleScene, ids: list[int]) -> None:
    async with console(operate=True) as client:
        note = {"group": "g2", "reason": "ask Bo first", "actor": "ana"}
        assert await client.post("/letters/note", note) == (303, "/letters?group=g2&state=any")
        assert (await client.post("/letters/note", note, {"group": "g7"}))[0] == 404
        assert "its sender has to change it" in (await client.get("/letters?group=g2"))[1]
        refused = (await client.get("/replays/plan?where=remark~%237&group=g2"))[1]
        assert 'href="/letters/discard?where=remark~%237&amp;group=g2"' in refused, "the same letters"
        plan = await shown(client, "/letters/discard?group=g2&since=1h")
        assert "ask Bo first" in (await client.get("/replays/plan?group=g2"))[1]
        async with scene.pool.acquire() as tx:  # the group grows on, and the plan stays what it was
            await tx.execute(
                "INSERT INTO dead_letters (queue, message_id, body_hash, reason, fingerprint, key_id, body, headers)"
                " VALUES ('stock', 'later', '', 'invalid', 'g2', 'k', '', '')"
            )
        assert (await client.post("/letters/discard", plan, {"actor": "bo"}))[0] == 400
        assert (await client.post("/letters/discard", plan, WHY, {"at": "soon"}))[0] == 403
        answer = await client.post("/letters/discard", plan, WHY)
        assert answer == (303, "/letters?group=g2&since=1h&state=discarded")
        assert (await client.post("/letters/discard", plan, WHY))[0] == 404  # they are discarded by now
        assert "3 letters" in (await client.get("/letters?group=g2&state=discarded"))[1]

        mixed = await shown(client, "/letters/restore?group=g2&state=any")
        status, text = await client.post("/letters/restore", mixed, WHY)
        assert (status, "Cannot restore 1 of 4" in text) == (403, True)
        one = await shown(client, f"/letters/restore?id={ids[0]}")
        await scene.pool.execute("UPDATE dead_letters SET repeats = repeats + 1 WHERE id = $1", ids[0])
        assert (await client.post("/letters/restore", one, WHY))[0] == 403
        assert await client.post(
            "/letters/restore", mixed | await shown(client, f"/letters/restore?id={ids[0]}"), WHY
        ) == (
            303,
            f"/letters/{ids[0]}",
        )
    rows = await scene.pool.fetch("SELECT id, state FROM dead_letters WHERE fingerprint = 'g2' ORDER BY id")
    assert [row["state"] for row in rows] == ["open", "discarded", "discarded", "open"]
    done = await scene.pool.fetch("SELECT dead_letter_id, action, note, reason FROM dead_letter_actions ORDER BY id")
    assert [tuple(row) for row in done] == [
        *((one, "discard", "bo", WHY["reason"]) for one in ids),
        (ids[0], "restore", "bo", WHY["reason"]),
    ]


async def test_an_edit_is_checked_masked_and_kept_beside_what_came(scene: ConsoleScene, ids: list[int]) -> None:
    path = f"/letters/{ids[0]}/edit"
    async with console(operate=True) as client:
        status, form = await client.get(path)
        assert (status, "Wang Fang" in form) == (200, False)
        status, text = await client.post(f"{path}/check", {"changes": "qty=0\r\nremark=for Li Na"})
        assert (status, "schema refuses the new body" in text, "Li Na" in text.split("<form")[0]) == (200, True, False)
        status, text = await client.post(f"{path}/check", {"changes": "qty=2\r\nremark="})
        assert (status, "schema takes the new body" in text, "<code>qty</code>, <code>remark</code>" in text) == (
            200,
            True,
            True,
        )
        [version] = re.findall(r'name="version" hidden>\s*([^<]*)</textarea>', text)
        wanted = {"changes": "qty=2\r\nremark=", "version": version}
        replay = await shown(client, f"/replays/plan?id={ids[0]}&anyway=on")
        assert (await client.post(path, wanted, {"actor": "bo"}))[0] == 400
        assert (await client.post(path, wanted, WHY)) == (303, f"/letters/{ids[0]}")
        assert (await client.post(path, wanted, WHY))[0] == 403  # it was edited meanwhile
        assert (await client.post("/replays", replay, WHY))[0] == 403  # it would send what was not shown
        for wrong in ({}, {"changes": "qty=2"}, {"changes": "a..b=1"}, {"changes": "qty=3", "original": "on"}):
            assert (await client.post(f"{path}/check", wrong))[0] in (400, 404), wrong
        deep = 300 * "[" + 300 * "]"
        for wrong in ({"changes": f"qty={deep}"}, {"body": deep}, {"changes": f"qty={2**64}"}):
            assert "nested too deeply" in (await client.post(f"{path}/check", wrong))[1]

        assert "for Wang Fang" not in (await client.get(path))[1]
        assert not await scene.pool.fetchval("SELECT count(*) FROM address_accesses")
        assert "&#34;qty&#34;: 2" in (await client.post(f"{path}/reveal", WHY))[1]
        assert await scene.pool.fetchval("SELECT note FROM address_accesses WHERE dead_letter_id = $1", ids[0]) == "bo"
        assert "<code>qty</code>" in (await client.post(f"{path}/check", {"body": '{"ref": "n1"}'}))[1]
        assert "Changed: <code>qty</code>" in (await client.post(f"{path}/check", {"original": "on"}))[1]
        assert (await client.get(f"/letters/{scene.letters['bytes']}/edit"))[0] == 200
        status, text = await client.post(f"/letters/{scene.letters['bytes']}/edit/reveal", WHY)
        assert (status, "--file FILE" in text) == (403, True)
        async with scene.pool.acquire() as tx:
            await dead_letters.keep(tx, [letter("nul", body=b"a\0b", queue="stock", fingerprint="g2")])
            nul_id = await tx.fetchval("SELECT max(id) FROM dead_letters")
            await dead_letters.keep(tx, [letter("lines", body=b"one\ntwo", queue="stock", fingerprint="g2")])
            text_id = await tx.fetchval("SELECT max(id) FROM dead_letters")
        assert (await client.post(f"/letters/{nul_id}/edit/reveal", WHY))[0] == 403, "browsers send no NUL back"
        status, text = await client.post(f"/letters/{text_id}/edit/check", {"body": "one\r\ntwo"})
        assert (status, "nothing was changed" in text) == (404, True), "browsers end lines with CRLF"
    async with scene.pool.acquire() as tx:
        [kept] = await dead_letters.edits(tx, ids[0])
        [came] = await dead_letters.read(tx, [ids[0]])
    assert orjson.loads(dead_letters.opened_edit(kept)) == {k: v for k, v in BODY.items() if k != "remark"} | {"qty": 2}
    assert orjson.loads(dead_letters.opened(came)[0]) == BODY
    assert (kept["note"], kept["reason"]) == ("bo", WHY["reason"])
    assert await scene.pool.fetchval("SELECT (action, note)::text FROM dead_letter_actions") == "(edit,bo)"


def test_what_was_decided_about_many_letters_is_one_line() -> None:
    one = {"at": 1, "action": "discard", "actor": "oms", "note": "bo", "reason": "old", "group_name": None}
    noted = one | {"action": "note", "dead_letter_id": None, "group_name": "g1"}
    found = decisions_of([one | {"dead_letter_id": 3}, one | {"dead_letter_id": 2}, noted, one | {"dead_letter_id": 1}])
    assert [(line["action"], line["letters"], line["first"]) for line in found] == [
        ("discard", 2, 2),
        ("note", 0, None),
        ("discard", 1, 1),
    ]


def test_lines_that_are_the_same_stand_side_by_side() -> None:
    left, right = side_by_side("a\nb\nc\nd", "a\nx\nd\ne")
    assert left == [("a", False), ("b", True), ("c", True), ("d", False), ("", True)]
    assert right == [("a", False), ("x", True), ("", True), ("d", False), ("e", True)]
    assert side_by_side("a\nb", "a\nb") == ([("a", False), ("b", False)],) * 2
    assert side_by_side("a\na", "a") == ([("a", False), ("a", True)], [("a", False), ("", True)])


def test_long_bodies_are_compared_at_once() -> None:
    items = ["{", '"qty": 1', "}"] * 5_000
    one, other = ["old", *items, "end"], [*items[:7_500], "new", *items[7_500:], "end"]
    left, right = side_by_side("\n".join(one), "\n".join(other))
    assert [line for line, _ in left if line] == one
    assert [line for line, _ in right if line] == other
    assert (len(left), left[0], left[-1]) == (len(right), ("old", True), ("end", False))


async def test_a_letter_is_tried_and_nothing_of_it_is_kept(
    scene: ConsoleScene, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, wrong = f"/letters/{scene.letters['m0']}", f"/letters/{ids[0]}"
    kept = (
        "SELECT ((SELECT count(*) FROM outbox), (SELECT count(*) FROM inbox), (SELECT sum(on_hand) FROM stock))::text"
    )
    before = await scene.pool.fetchval(kept)
    async with console(operate=True) as client:
        assert "Try it" in (await client.get(sound))[1]
        (status, works), (_, invalid) = await asyncio.gather(
            client.post(f"{sound}/try"), client.post(f"{wrong}/try")
        )  # one after the other, because each configures the process
        assert (status, ">works</span>" in works, "<code>stock.received.v1</code>" in works) == (200, True, True), works
        assert (">invalid</span>" in invalid, "<code>$.qty</code>" in invalid, "Wang Fang" in invalid) == (
            True,
            True,
            False,
        )
        status, refused = await client.post(f"/letters/{scene.letters['bytes']}/try")
        assert status == 200, refused
        assert (await client.post("/letters/999999999/try"))[0] == 404
        monkeypatch.setattr(trial_runs, "TRIAL_MAX_SECONDS", 0.0)
        status, late = await client.post(f"{sound}/try")
        assert (status, "the trial was ended after 0 s" in late) == (503, True), "it locks rows that workers wait for"
    async with console() as reader:
        assert "Try it" not in (await reader.get(sound))[1]
        assert (await reader.post(f"{sound}/try"))[0] == 403
    assert await scene.pool.fetchval(kept) == before
