"""Each runbook is followed while the shop is in its trouble: its commands work, and name it."""

import asyncio
import shlex
from pathlib import Path

from messages.topology import tiers_seconds
from outbox import declare
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.scripts import runbook_shell
from tests.scripts.oms_command import Oms
from tests.scripts.runbook_pages import OVER, PAGES, typed
from tests.scripts.troubles import TROUBLES, Scene, Trouble, prepare

RUNNING = ("oms worker", "oms relay")
"""Both run while the pages are followed, until they are stopped."""
ONLY_NAMED = ("oms order show",)
"""Commands that a page names without arguments."""
ADDED = {"replay": ["--yes", "--anyway", "--wait", "0"], **{name: ["--yes"] for name in ("edit", "resume", "fire")}}
"""What a person answers, or a worker would do meanwhile."""
AS_TOPOLOGY = "oms topology declare"


def test_every_page_is_followed_in_its_trouble() -> None:
    assert sorted(trouble.page for trouble in TROUBLES) == [page.stem for page in PAGES]


def test_the_commands_of_each_page_work_in_its_trouble_and_name_it(
    oms: Oms, broker: Broker, database_url: str, servers: Servers, tmp_path: Path
) -> None:
    asyncio.run(declare.declare(broker["topology"], broker.names, tiers_seconds(1800)))
    wrong: list[str] = []
    with runbook_shell.running(servers, database_url, broker["worker"], broker.names.prefix) as shell:
        scene = Scene(database_url, servers, shell, tmp_path)
        scene.variables = {
            "database_url": database_url,
            "amqp_url": broker["worker"],
            "management_url": servers.broker.management_url or "",
            "prefix": broker.names.prefix,
        }
        prepare(scene)
        with scene.until_the_end:
            for trouble in TROUBLES:
                (page,) = [page for page in PAGES if page.stem == trouble.page]
                text, _, over = page.read_text(encoding="utf-8").partition(OVER)
                with trouble.comes(scene):
                    wrong += follow(oms, scene, trouble, text, broker["topology"])
                wrong += follow(oms, scene, Trouble(trouble.page, trouble.comes, {}), over, broker["topology"])
    print(*wrong, sep="\n")  # whole: pytest shortens it
    assert wrong == []


def follow(oms: Oms, scene: Scene, trouble: Trouble, text: str, topology_url: str) -> list[str]:
    """Type every command of the text; return what is wrong with what came."""
    wrong, printed = [], dict.fromkeys(trouble.names, "")
    for line in typed(text):
        if line.startswith(RUNNING) or line in ONLY_NAMED:
            continue
        name, (code, words) = next(
            ((name, ends) for name, ends in trouble.ends.items() if line.startswith(name)), (line, (0, ""))
        )
        if line.startswith("oms "):
            given = scene.variables | ({"amqp_url": topology_url} if line == AS_TOPOLOGY else {})
            typed_words = [scene.named.get(word, word) for word in shlex.split(line.partition(" | ")[0])[1:]]
            done = oms(*typed_words, *(ADDED.get(typed_words[1], []) if "--reason" in typed_words else []), **given)
            came, out = done.code, done.out + done.err
        else:
            works, out = scene.shell.run(line, trouble.page)
            came = 0 if works else 1
        if came != code or words not in out:
            wrong.append(f"{trouble.page}: {line}: {came} instead of {code} {words}: {out[-1200:]}")
        if code and line.startswith("oms ") and f"exits with {code}" not in text:
            wrong.append(f"{trouble.page} does not tell its reader that {name} exits with {code}")
        for one in printed:
            printed[one] += out if line.startswith(one) else ""
    unnamed = {name: part for name, part in trouble.names.items() if part not in printed[name]}
    wrong += [f"{trouble.page}: {name} does not name {part}: {printed[name][-900:]}" for name, part in unnamed.items()]
    return wrong
