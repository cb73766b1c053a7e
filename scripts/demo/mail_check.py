"""Check of the mails to buyers: the mail server has exactly those that the events of the order system cause."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

WAITING_SQL = "SELECT count(*) FROM buyer_notifications WHERE state = 'pending' AND wake_at < expires_at"
MailFace: TypeAlias = tuple[str, str, str]
"""(address, language, subject)"""


@dataclass(frozen=True)
class MailComparison:
    """How many mails came, and how often one came again; how many wait for the end of quiet hours; what differs."""

    mails: int = 0
    copies: int = 0
    waiting: int = 0
    differences: list[str] = field(default_factory=list)


async def compare_mails(
    session: "asyncpg.Connection[asyncpg.Record]", file: Path, delivered: Sequence[Mapping[str, Any]]
) -> MailComparison:
    """Compare the file of NotifiedBuyers with the ledger of the mail server, and with what still waits.

    The client of the buyers writes the file as it ends. If it did not, that is the difference.
    """
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.reader(opened))
    except FileNotFoundError:
        return MailComparison(
            len(delivered), differences=[f"the client has not written {file.name}: its mails cannot be checked"]
        )
    caused = [(address, language, subject) for address, language, quiet, subject in rows if quiet == "0"]
    came = [(str(one["address"]), str(one["language"]), str(one["subject"])) for one in delivered]
    waiting, quiet = await session.fetchval(WAITING_SQL), len(rows) - len(caused)
    others = [f"{quiet} events in quiet hours, {waiting} notifications wait"] if quiet != waiting else []
    copies = sum(one["copies"] - 1 for one in delivered)
    return MailComparison(len(came), copies, waiting, [*differences(caused, came), *others])


def differences(caused: Iterable[MailFace], came: Iterable[MailFace]) -> list[str]:
    """Return the mails that are missing, and those that no event caused."""
    wanted, found = Counter(caused), Counter(came)
    missing, needless = (wanted - found).elements(), (found - wanted).elements()
    return [f"{address} has no mail in {language}: {subject}" for address, language, subject in missing] + [
        f"{address} has a mail too many in {language}: {subject}" for address, language, subject in needless
    ]
