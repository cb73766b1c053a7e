"""Each runbook is followed while the shop is in its trouble: its commands work, and name it."""

import asyncio
import shlex
from pathlib import Path

import psycopg

from messages.topology import tiers_seconds
from outbox import declare
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.scripts.oms_command import Oms
from tests.scripts.runbook_pages import PAGES, commands, statements
from tests.scripts.troubles import TROUBLES, Scene, Trouble, prepare

NOT_TYPED = ("oms worker", "oms relay", "oms topology declare")
"""Commands that run until they are stopped, or need another user."""
ONLY_NAMED = ("oms order show",)
"""Commands that a page names without arguments."""
ADDED = {"replay": ["--yes", "--anyway", "--wait", "0"], "resume": ["--yes"], "fire": ["--yes"]}
"""What a person answers, or a worker would do meanwhile."""


def test_every_page_is_followed_in_its_trouble() -> None:
    assert sorted(trouble.page for trouble in TROUBLES) == [page.stem for page in PAGES]


def test_the_commands_of_each_page_work_in_its_trouble_and_name_it(
    oms: Oms, broker: Broker, database_url: str, servers: Servers
) -> None:
    asyncio.run(declare.declare(broker["topology"], broker.names, tiers_seconds(1800)))
    scene = Scene(database_url, servers)
    scene.variables = {
        "database_url": database_url,
        "amqp_url": broker["worker"],
        "management_url": servers.broker.management_url or "",
        "prefix": broker.names.prefix,
    }
    prepare(scene)
    wrong = []
    with scene.until_the_end:
        for trouble in TROUBLES:
            (page,) = [page for page in PAGES if page.stem == trouble.page]
            with trouble.comes(scene):
                wrong += follow(oms, scene, trouble, page)
    print(*wrong, sep="\n")  # whole: pytest shortens it
    assert wrong == []


def follow(oms: Oms, scene: Scene, trouble: Trouble, page: Path) -> list[str]:
    """Type every command of the page; return what is wrong with what came."""
    wrong, printed = [], dict.fromkeys(trouble.names, "")
    for line in commands(page):
        if line.startswith(NOT_TYPED) or line in ONLY_NAMED:
            continue
        words = [scene.named.get(word, word) for word in shlex.split(line, comments=True)[1:]]
        done = oms(*words, *(ADDED.get(words[1], []) if "--reason" in words else []), **scene.variables)
        code = next((code for name, code in trouble.codes.items() if line.startswith(name)), 0)
        if done.code != code:
            wrong.append(f"{page.stem}: {line}: {done.code}: {done.out[-900:]}{done.err[-300:]}")
        for name in printed:
            printed[name] += done.out + done.err if line.startswith(name) else ""
    unnamed = {name: part for name, part in trouble.names.items() if part not in printed[name]}
    wrong += [f"{page.stem}: {name} does not name {part}: {printed[name][-900:]}" for name, part in unnamed.items()]
    if trouble.page != "database-away":
        with psycopg.connect(scene.database_url, autocommit=True) as connection:
            for statement in statements(page):
                connection.execute(statement)  # type: ignore[arg-type, unused-ignore]
    return wrong
