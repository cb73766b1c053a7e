"""The tables of codes, and of the reasons of dead letters with what they mean and what to do."""

from messages.reasons import Reason
from scripts.commands.code_meanings import numbered_codes
from scripts.commands.reason_meanings import REASONS
from scripts.readmes.markdown import table


def code_table() -> str:
    """One row per code."""
    rows = [(str(row["number"]), f"`{row['code']}`", str(row["meaning"])) for row in numbered_codes()]
    return table(("number", "code", "it means"), rows)


def reason_table() -> str:
    """One row per reason of a dead letter."""
    return table(("reason", "it means; what to do"), [(f"`{reason}`", REASONS[reason]) for reason in ALL_REASONS])


ALL_REASONS = (*Reason, "delivery_limit")
