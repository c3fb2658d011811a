"""One connection through the link: two streams, each a reader at the bottleneck with a delay line behind it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from midspan.emulator.bottleneck import Bottleneck

__all__ = ["carry", "connect", "listen", "set_reset_on_close"]

MAX_CHUNKS_IN_FLIGHT: Final = 1_024
"""Per stream, like a window: what a receiver that does not read can make us hold is bounded."""

SOCKET_BUFFER_BYTES: Final = 131_072
SEGMENT_BYTES: Final = 8_192
"""Small buffers, so that the sender feels the rate; and small segments, for loopback's own, of 64 kB, stall in them."""

SYN_RETRIES: Final = 3
"""After them, 15 s in all, a target that does not answer counts as one that refuses."""

# The selector sleeps whole milliseconds, rounded up, at times twice: so aim one before the time, to meet it on average.
TICK_S: Final = 0.001

_Line: TypeAlias = "asyncio.Queue[tuple[float, bytes]]"


def listen(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1; what it accepts inherits the small buffers. Raises OSError."""
    listener = socket.socket()
    try:
        _make_small(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


async def connect(host: str, port: int) -> socket.socket:
    """A connection to the target. Raises OSError."""
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    server = socket.socket(family, kind, protocol)
    try:
        _make_small(server)  # before connecting, as the window's scale is agreed on then
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, SYN_RETRIES)
        await loop.sock_connect(server, address)
    except BaseException:
        server.close()
        raise
    return server


async def carry(
    device: socket.socket, server: socket.socket, up: Bottleneck, down: Bottleneck, clock: Callable[[], float]
) -> None:
    """Carry both streams until both have ended. Raises OSError as soon as either side breaks."""
    line_up: _Line = asyncio.Queue(MAX_CHUNKS_IN_FLIGHT)
    line_down: _Line = asyncio.Queue(MAX_CHUNKS_IN_FLIGHT)
    for end in (device, server):
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await _together(
        _read(device, up, line_up),
        _deliver(line_up, server, up, clock),
        _read(server, down, line_down),
        _deliver(line_down, device, down, clock),
    )


async def _read(source: socket.socket, link: Bottleneck, line: _Line) -> None:
    """Put chunks in line as the bottleneck lets them pass; an empty one is the end of the stream."""
    loop = asyncio.get_running_loop()
    chunk = b"begun"
    while chunk:
        chunk = await loop.sock_recv(source, link.chunk_bytes())
        await line.put((await link.transmit(len(chunk)), chunk))


async def _deliver(line: _Line, sink: socket.socket, link: Bottleneck, clock: Callable[[], float]) -> None:
    """Hand chunks over when they are due, in their order: one whose delay is shorter waits for those before it."""
    loop = asyncio.get_running_loop()
    while True:
        due_s, chunk = await line.get()
        wait_s = due_s - clock() - TICK_S
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if not chunk:
            sink.shutdown(socket.SHUT_WR)
            return
        link.passed_bytes += len(chunk)  # first, so that who has received them finds them counted
        await loop.sock_sendall(sink, chunk)


async def _together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all of them; if one fails, end the others and raise what it raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _make_small(end: socket.socket) -> None:
    end.setblocking(False)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)


def set_reset_on_close(end: socket.socket) -> None:
    """Closing then tells the peer that the connection broke, rather than that its stream came to an end."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
