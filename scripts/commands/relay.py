"""`oms relay` publishes the messages of the outbox."""

import uvloop

from outbox.__main__ import prepare, serve
from scripts.commands import command_app
from scripts.commands.connections import process_settings

app = command_app()


@app.command()
def relay() -> None:
    """Publish the messages of the outbox, until SIGTERM.

    Any number of relays may run: they share the work. Needs OMS_DATABASE_URL, OMS_AMQP_URL and OMS_ENCRYPTION_KEYS.

    \b
    Examples:
      oms relay
      OMS_OPS_PORT=9102 oms relay
    """
    settings = process_settings()
    prepare(settings)
    uvloop.run(serve(settings))
