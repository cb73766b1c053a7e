"""Turns exceptions into problems that a person can act on: which server or setting, why, and what to type next."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity
from pydantic import ValidationError
from pydantic_settings import SettingsError

from db.cipher import CipherError, MissingKeyError
from db.errors import ConfigurationError, LoginRefusedError
from outbox.amqp import ChannelAccessRefused
from outbox.ops import PortTakenError
from scripts.commands.problems import Code, CommandError

WRONG_SETTINGS = "the settings cannot be used"


def explain(error: BaseException) -> CommandError | None:
    """The problem that an exception stands for; None if the exception is a defect of the program."""
    return next((explanation(error) for kinds, explanation in _EXPLANATIONS if isinstance(error, kinds)), None)


def _broker(error: Any) -> CommandError:
    match error:
        case ChannelAccessRefused():
            hint = "set OMS_AMQP_URL to a broker user that has this right: oms-topology declares, oms-<role> publishes"
            return CommandError(Code.REFUSED, "the broker user may not do this", why=_first_line(error), hint=hint)
        case ChannelNotFoundEntity():
            hint = "oms topology declare"
            return CommandError(Code.FAILED, "the broker lacks an exchange or queue", why=_first_line(error), hint=hint)
    hint = "check OMS_AMQP_URL: user, password, host, port and virtual host"
    return CommandError(Code.UNREACHABLE, "the broker cannot be used", why=_first_line(error), hint=hint)


def _server(error: Any) -> CommandError:
    hint = "check that it runs, and that OMS_DATABASE_URL and OMS_AMQP_URL have its host and port"
    return CommandError(Code.UNREACHABLE, "a server does not answer", why=_first_line(error), hint=hint)


def _port(error: Any) -> CommandError:
    hint = "export OMS_OPS_PORT=9101, or another free port"
    return CommandError(Code.FAILED, "health and metrics cannot be served", why=str(error), hint=hint)


def _cipher(error: Any) -> CommandError:
    hint = "set OMS_ENCRYPTION_KEYS as the workers have it"
    return CommandError(Code.FAILED, "the encryption keys cannot be used", why=str(error), hint=hint)


def _missing_key(error: Any) -> CommandError:
    hint = "set OMS_ENCRYPTION_KEYS as the workers have it: stored data opens with no other keys"
    return CommandError(Code.FAILED, "stored data cannot be decrypted", why=str(error), hint=hint)


def _contended(error: Any) -> CommandError:
    hint = "the same command again in a moment"
    return CommandError(
        Code.REFUSED, "another command holds the same rows; nothing was done", why=_first_line(error), hint=hint
    )


def _no_such_id(error: Any) -> CommandError:
    return CommandError(
        Code.NOTHING, "no such id", why=_first_line(error), hint="oms dead-letters list, and take an id from there"
    )


def _schema(error: Any) -> CommandError:
    what = "the schema of the database is not the one of this version"
    return CommandError(Code.FAILED, what, why=_first_line(error), hint="oms migrate")


def _slow(error: Any) -> CommandError:
    return CommandError(
        Code.UNREACHABLE,
        "the database took too long",
        why=_first_line(error),
        hint="the same command when the database has less to do, or with a longer timeout",
    )


def _denied(error: Any) -> CommandError:
    hint = "set OMS_DATABASE_URL to a database user that has this right"
    return CommandError(Code.REFUSED, "the database user may not do this", why=_first_line(error), hint=hint)


def database_unusable(error: BaseException) -> CommandError:
    """The problem for an error of any database driver that no other explanation fits."""
    hint = "check OMS_DATABASE_URL: user, password, host, port and database"
    return CommandError(Code.UNREACHABLE, "the database cannot be used", why=_first_line(error), hint=hint)


def _first_line(error: BaseException) -> str:
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0]}" if first else type(error).__name__


def _settings(error: Any) -> CommandError:
    faults = error.errors(include_input=False, include_url=False)
    named = {_variable(fault["loc"]): _sentence(fault["msg"]) for fault in faults if fault["loc"]}
    whys = [_sentence(fault["msg"]) for fault in faults if not fault["loc"]]
    hint = "export " + " ".join(f"{name}=..." for name in named) if named else "correct the name of the variable"
    what = "the settings are not complete" if any(fault["type"] == "missing" for fault in faults) else WRONG_SETTINGS
    return CommandError(Code.FAILED, what, why="; ".join([*(f"{n}: {w}" for n, w in named.items()), *whys]), hint=hint)


def _variable(location: Sequence[int | str]) -> str:
    name = str(location[0])
    return name if name.isupper() else f"OMS_{name.upper()}"


def _sentence(message: str) -> str:
    """The message of pydantic as a part of our sentence. Only its first letter is changed: values keep their case."""
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _setting_value(error: Any) -> CommandError:
    field = re.search(r'field "(\w+)"', str(error))
    variable = _variable([field[1]]) if field else "a variable OMS_*"
    hint = f"export {variable}='{{...}}', as JSON" if field else "oms worker --help"
    return CommandError(Code.FAILED, WRONG_SETTINGS, why=f"{variable} is not JSON", hint=hint)


def _login(error: Any) -> CommandError:
    hint = "correct the user and password in the variable that is named above"
    return CommandError(Code.FAILED, "a server refuses the login", why=str(error), hint=hint)


def _configuration(error: Any) -> CommandError:
    hint = "see the settings in scripts/README.md; messages/README.md has an example of a provider's"
    return CommandError(Code.FAILED, WRONG_SETTINGS, why=str(error), hint=hint)


_EXPLANATIONS: tuple[tuple[tuple[type[BaseException], ...], Callable[[Any], CommandError]], ...] = (
    ((CommandError,), lambda error: error),
    ((ValidationError,), _settings),
    ((SettingsError,), _setting_value),
    ((ConfigurationError,), _configuration),
    ((LoginRefusedError,), _login),
    ((PortTakenError,), _port),
    ((MissingKeyError,), _missing_key),
    ((CipherError,), _cipher),
    ((asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError), _contended),
    ((asyncpg.DataError,), _no_such_id),
    ((asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError), _schema),
    ((asyncpg.QueryCanceledError,), _slow),
    ((asyncpg.InsufficientPrivilegeError,), _denied),
    ((AMQPError,), _broker),
    ((asyncpg.PostgresError, asyncpg.InterfaceError), database_unusable),
    ((OSError, TimeoutError), _server),
)
"""Kinds of exceptions, each with its explanation; the first that fits is used."""
