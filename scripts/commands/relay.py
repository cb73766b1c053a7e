"""`oms relay`: publishes what the outbox holds."""

import uvloop

from outbox.__main__ import prepare, serve
from scripts.commands import command_app
from scripts.commands.connecting import process_settings

app = command_app()


@app.command()
def relay() -> None:
    """Publish what the outbox holds, until SIGTERM. Any number may run; they share the work.

    \b
    Examples:
      oms relay
      OMS_OPS_PORT=9102 oms relay
    """
    settings = process_settings()
    prepare(settings)
    uvloop.run(serve(settings))
