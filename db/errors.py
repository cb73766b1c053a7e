"""The root of the exceptions that this project raises, and the one that means: wait, nobody's message is at fault."""


class OmsError(Exception):
    """Every exception class of messages, db, outbox and workers descends from this one."""


class UnavailableError(OmsError):
    """A server that the work needs cannot be used now: a database, a schema that is not migrated yet, a provider.

    The runtime pauses the queue and tries again. No message counts an attempt for it.
    """


class ConfigurationError(OmsError, ValueError):
    """A process cannot start with these settings. The message names the variable and the fault, and shows no value."""


class LoginRefusedError(OmsError):
    """A server refuses our user or password. A process that starts ends with it, because waiting does not help.

    A process that runs already pauses instead, because its connections may still work.
    """
