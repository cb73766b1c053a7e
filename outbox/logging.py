"""Configures the logs of every process: one JSON object per line, without personal data."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from outbox.tracebacks import own_place, traceback_of

MASK = "***"
PERSONAL = re.compile(
    r"phone|mobile|address|addressee|recipient|consignee|receiver|street|detail|postal|zip|email|id_card|name_of_person",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"(?<![\w-])\+?\d[\d ()-]{6,}\d(?![\w-])")
_OURS = frozenset({"level", "event", "logger", "timestamp"})
_CALLBACK, _REPR = re.compile(r"^(Exception in callback) .*"), re.compile(r"<.*>")
_IDS = re.compile(r"(^|_)(id|ids|no|seconds|bytes|items|rows|port)$")  # our ids are long numbers, but no personal data


def configure(level: str = "INFO") -> None:
    """Configure logging for the whole process, including the logs of libraries."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_values,
        masked,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    last: list[structlog.types.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aiormq", "aio_pika", "asyncio"):  # on a verbose level they log whole frames, and so bodies
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    log_closed_channels_once()
    leave_out_repetitions()
    log_alike_once_in_a_while()


def without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that names an exception by its type and the steps to it: its text may quote a value."""
    if event.get("logger") == "asyncio":  # it writes the values of tasks and callbacks, and the text of their errors
        first = str(event.get("event", "")).partition("\n")[0]
        event["event"] = _REPR.sub("<...>", _CALLBACK.sub(r"\1", first))
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        lines = traceback_of(error)
        event.update({"error": type(error).__qualname__, "at": own_place(lines), "traceback": list(lines)})
    return event


def masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that masks fields with personal names, and numbers long enough to be a phone number."""
    return {key: value if key in _OURS else _masked(key, value) for key, value in event.items()} | {
        "event": _without_numbers(str(event.get("event", "")))
    }


def _masked(key: str, value: Any) -> Any:
    if PERSONAL.search(key):
        return MASK
    match value:
        case dict():
            return {name: _masked(str(name), item) for name, item in value.items()}
        case list() | tuple():
            return [_masked(key, item) for item in value]
        case str() if not _IDS.search(key):
            return _without_numbers(value)
        case _:
            return value


def _without_numbers(text: str) -> str:
    return _LONG_NUMBER.sub(MASK, text)


def log_closed_channels_once() -> None:
    """Let aiormq log the first frame for a closed channel only.

    A consumer that was frozen past the broker's acknowledgement timeout finds its channel closed and a frame for each
    message of its prefetch behind that.
    """
    logger = logging.getLogger("aiormq.connection")
    if not any(isinstance(one, _OncePerChannel) for one in logger.filters):
        logger.addFilter(_OncePerChannel())


def leave_out_repetitions() -> None:
    """Leave out what aiormq logs of a lost connection beside our own line: each try, and a traceback through itself."""
    logger = logging.getLogger("aiormq.connection")
    if _is_new not in logger.filters:
        logger.addFilter(_is_new)


def log_alike_once_in_a_while() -> None:
    """Let what tries again all the time, while the database is away, write each line once in ten seconds."""
    for name in ("outbox.relay", "outbox.doorbell", "workers.runtime.run", "asyncpg.pool"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _AlikeOnce) for one in logger.filters):
            logger.addFilter(_AlikeOnce())


def _is_new(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("error when creating transport", "Cancelling cause"))


class _OncePerChannel(logging.Filter):
    """Lets one line per closed channel pass, and the next one only after QUIET_SECONDS."""

    TEXT = "Got frame for closed channel"
    QUIET_SECONDS = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith(self.TEXT) or not isinstance(record.args, tuple) or not record.args:
            return True
        channel, known = record.args[0], self._logged_at
        quiet = record.created - known.get(channel, 0.0) > self.QUIET_SECONDS
        known[channel] = record.created
        return quiet


class _AlikeOnce(logging.Filter):
    """Lets one of the lines pass that differ only in their time, and the next one only after QUIET_SECONDS."""

    QUIET_SECONDS = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
        known, alike = self._logged_at, repr([(key, value) for key, value in line.items() if key != "timestamp"])
        if record.created - known.get(alike, 0.0) <= self.QUIET_SECONDS:
            return False
        recent = {key: at for key, at in known.items() if record.created - at <= self.QUIET_SECONDS}
        self._logged_at = recent | {alike: record.created}
        return True
