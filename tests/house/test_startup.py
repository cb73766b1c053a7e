"""What each process loads before it works: a command that is slow to start is slow every time."""

import subprocess
import sys

import pytest

from scripts.cli import COMMANDS
from tests.house.sources import ROOT

MIGRATION_PACKAGES = ("alembic", "sqlalchemy", "psycopg")
SERVER_PACKAGES = ("aiohttp", "aiormq", "asyncpg", "cryptography", "pydantic")
COMMAND_MODULES = [f"scripts.commands.{name.replace('-', '_')}" for name in COMMANDS if name != "migrate"]


def loaded_packages(*modules: str) -> set[str]:
    """The top-level packages that a fresh interpreter holds after it has imported these modules."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_help_of_oms_loads_no_server_client_and_no_model() -> None:
    assert loaded_packages("scripts.cli").isdisjoint((*MIGRATION_PACKAGES, *SERVER_PACKAGES))


@pytest.mark.parametrize(
    "modules",
    [["workers.app"], ["outbox.__main__"], COMMAND_MODULES],
    ids=["worker", "relay", "every command but migrate"],
)
def test_only_migrate_loads_what_migrations_need(modules: list[str]) -> None:
    assert loaded_packages(*modules).isdisjoint(MIGRATION_PACKAGES)


def test_the_commands_about_dead_letters_load_no_handler() -> None:
    code = "import scripts.commands.dead_letters, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not [name for name in ran.stdout.split() if name.startswith(("workers.handlers", "workers.app"))]
