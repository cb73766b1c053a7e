"""A TCP proxy between a process of ours and a server: a test cuts it at a chosen byte, or lets it fall silent.

`cut_before(text)` cuts every connection when a client sends these bytes, before the server gets them; `cut_after(text)`
when the server has answered them, before the client gets the answer. `silence()` forwards nothing more in either
direction, as a network that drops packets: neither side gets an error.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from yarl import URL


@dataclass(eq=False)
class TcpProxy:
    """Use as `async with TcpProxy(url) as proxy`; `proxy.url` is the URL of the server through the proxy."""

    target: str
    url: str = ""
    cuts: int = 0
    connections: int = 0
    _before: bytes = b""
    _after: bytes = b""
    _awaited: bool = False
    _forwarding: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> "TcpProxy":
        self._forwarding.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = str(URL(self.target).with_host("127.0.0.1").with_port(port))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()

    def cut_before(self, text: bytes) -> None:
        """Cut when a client sends this, once."""
        self._before = text

    def cut_after(self, text: bytes) -> None:
        """Cut when the server answers a client that has sent this, once."""
        self._after = text

    def silence(self) -> None:
        """Forward nothing from now on, neither bytes nor the end of a connection."""
        self._forwarding.clear()

    def speak(self) -> None:
        """Forward again, but not over the connections that fell silent: they stay silent until they are cut."""
        silent, self._forwarding = self._forwarding, asyncio.Event()
        self._forwarding.set()
        assert not silent.is_set()

    def cut(self) -> None:
        """Abort every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._start(self._connect(reader, writer, self._forwarding))

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forwarding: asyncio.Event
    ) -> None:
        await forwarding.wait()
        server = URL(self.target)
        up_reader, up_writer = await asyncio.open_connection(server.host, server.port)
        self._writers.append(up_writer)
        self._start(self._forward(reader, up_writer, forwarding, to_server=True))
        self._start(self._forward(up_reader, writer, forwarding, to_server=False))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(work))

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forwarding: asyncio.Event, *, to_server: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await forwarding.wait()
                if self._cuts_at(data, to_server):
                    self.cuts += 1
                    self.cut()
                    return
                writer.write(data)
        await forwarding.wait()
        writer.close()

    def _cuts_at(self, data: bytes, to_server: bool) -> bool:
        if to_server and self._before and self._before in data:
            self._before = b""
            return True
        if to_server and self._after and self._after in data:
            self._after, self._awaited = b"", True
        elif not to_server and self._awaited:
            self._awaited = False
            return True
        return False
