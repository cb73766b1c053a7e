"""The W3C trace context of a message, which travels in its headers `traceparent` and `tracestate`.

A process that traces nothing passes both on as they came. So all that follows from a client's request is in its trace.
"""

import re

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
TRACESTATE_CHARS_MAX = 512  # the least that everyone must pass on; it fits into one AMQP frame with the other headers
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE = re.compile(rf"[\x20-\x7e]{{1,{TRACESTATE_CHARS_MAX}}}")


def trace_headers(parent: str | None, state: str | None) -> dict[str, str]:
    """Return the headers that go on. A malformed parent is dropped with its state, a malformed state alone."""
    if not parent or not _PARENT.fullmatch(parent):
        return {}
    return {TRACEPARENT: parent, TRACESTATE: state} if state and _STATE.fullmatch(state) else {TRACEPARENT: parent}


def trace_id(parent: str | None) -> str | None:
    """Return the trace of a traceparent, 32 hexadecimal digits; None if there is none."""
    found = _PARENT.fullmatch(parent or "")
    return found and found[1]
