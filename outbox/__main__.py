"""`python -m outbox` runs a relay."""

import argparse
import asyncio
import signal
import sys

import structlog
import uvloop
from pydantic import ValidationError

from db import cipher
from db.errors import ConfigurationError, LoginRefusedError
from outbox import tracing
from outbox.doorbell import DATABASE_ERRORS
from outbox.logging import configure as configure_logging
from outbox.ops import PortTakenError, ops_server
from outbox.relay import Relay
from outbox.settings import RelaySettings
from outbox.version import version

log = structlog.get_logger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns 1 if the database cannot be used, 2 if the settings are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m outbox",
        description="Publish the messages in the outbox. Relays share the work, so run any number. Settings are "
        "environment variables:",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    try:
        settings = RelaySettings()
        prepare(settings)
    except (ValidationError, ConfigurationError, cipher.CipherError) as error:
        print(f"The relay's settings are wrong.\n{_explain(error)}", file=sys.stderr)
        print("Run python -m outbox --help to see all settings.", file=sys.stderr)
        return 2
    try:
        uvloop.run(serve(settings))
    except PortTakenError as error:
        print(f"The relay ended: {error}. Set OMS_OPS_PORT to a free port.", file=sys.stderr)
        return 2
    except LoginRefusedError as error:
        print(f"The relay ended: {error}.", file=sys.stderr)
        return 2
    except DATABASE_ERRORS as error:
        print(f"The relay ended: {type(error).__name__}: {error}. Is OMS_DATABASE_URL right?", file=sys.stderr)
        return 1
    return 0


def prepare(settings: RelaySettings) -> None:
    """Set up keys and logs. Raises CipherError without keys, because the first encrypted body would stop its stream,
    and ConfigurationError without the cell in a shop with cells.
    """
    settings.require_cell()
    cipher.configure(settings.encryption_keys.get_secret_value())
    configure_logging(settings.log_level.upper())
    tracing.configure(settings.tracing, "oms-relay")


async def serve(settings: RelaySettings) -> None:
    """Run a relay, with its probes and metrics, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    relay = Relay(settings)
    async with ops_server(settings.ops_port, host=settings.ops_host, live=relay.live, ready=relay.checks):
        log.info("relay started", version=version(), prefix=settings.prefix)
        try:
            await relay.run(stop)
            log.info("relay stopped, its shards are free for others")
        finally:
            await asyncio.to_thread(tracing.close)


def _explain(error: Exception) -> str:
    """Name each wrong variable and its error, but no value, because some are passwords."""
    if not isinstance(error, ValidationError):
        return f"  {error}"
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_input=False)]
    return "\n".join(f"  {name}: {message}" if name else f"  {message}" for name, message in faults)


def _settings_help() -> str:
    lines = []
    for name, field in RelaySettings.model_fields.items():
        default = "required" if field.is_required() else f"default {field.get_default()!r}"
        lines.append(f"  OMS_{name.upper():28} {default}\n      {field.description}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
