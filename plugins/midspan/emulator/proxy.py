"""The emulator itself: a TCP proxy whose two directions each pass one bottleneck and then a delay.

::

    device ──▶ reader ──▶ bottleneck, one for all connections ──▶ delay line, one per connection ──▶ server

A reader hands its chunk to the bottleneck, which keeps a virtual clock: it says when the last byte has left, given the
rate and what went before. Readers run ahead of that clock a little and no more, so a late wake-up costs no rate, and a
sender feels the rate through the kernel's buffers, which are kept small. The delay line holds the chunk until its bytes
have left and the delay is over. Chunks of one connection never overtake each other.

Not emulated: loss, and the round trip of TCP's handshake, which the kernel answers before the proxy hears of it.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from midspan.emulator.bottleneck import Bottleneck
from midspan.emulator.connection import carry, connect, listen, set_reset_on_close
from midspan.emulator.link import LinkProfile, LinkTrace
from midspan.errors import ConfigError, UnavailableError

__all__ = ["LinkEmulator"]


class LinkEmulator:
    """A link to `target_host:target_port` that begins at `127.0.0.1:port`; a context manager.

    All connections share the link. It runs in a thread of its own from `start` to `close`; every method may be called
    from any thread. Port 0 lets the system choose. `clock` returns monotonic seconds and must run as fast as time does.
    """

    def __init__(
        self,
        target_host: str,
        target_port: int,
        profile: LinkProfile | LinkTrace,
        *,
        port: int = 0,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = (target_host, target_port)
        self._wanted_port = port
        self._clock = clock
        self._profile = profile
        rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._up = Bottleneck(profile.up, profile.jitter_ms / 1e3, rng=rng, clock=clock)
        self._down = Bottleneck(profile.down, profile.jitter_ms / 1e3, rng=rng, clock=clock)
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where devices connect to, on 127.0.0.1. Raises UnavailableError unless started."""
        if self._listener is None:
            raise UnavailableError("the link emulator is not running")
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def profile(self) -> LinkProfile | LinkTrace:
        """What the link is like now."""
        return self._profile

    @property
    def bytes_up(self) -> int:
        """Bytes that came out at the server's end so far."""
        return self._up.passed_bytes

    @property
    def bytes_down(self) -> int:
        """Bytes that came out at the device's end so far."""
        return self._down.passed_bytes

    def start(self) -> LinkEmulator:
        """Open the port and begin; once. Raises ConfigError where the port cannot be opened."""
        if self._thread is not None:
            raise UnavailableError("a link emulator starts once; make another")
        try:
            self._listener = listen(self._wanted_port)
        except OSError as error:
            raise ConfigError(f"cannot open port {self._wanted_port} on 127.0.0.1: {error.strerror}") from error
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="midspan-link", daemon=True)
        self._thread.start()
        self._call(self._begin(self._listener))
        return self

    def set_profile(self, profile: LinkProfile | LinkTrace) -> None:
        """Change the link under its connections; a trace begins now. What has left arrives as it would have."""
        self._profile = profile
        if self._listener is not None:
            self._call(self._change(profile))

    def cut(self) -> None:
        """Break all connections as a lost link does: what is on its way is lost. New ones are welcome."""
        if self._listener is not None:
            self._call(self._cut())

    def close(self) -> None:
        """Break all connections, close the port, end the thread. A second call does nothing."""
        if self._thread is None or self._listener is None:
            return
        self._call(self._end(self._listener))
        self._listener = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> LinkEmulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self, listener: socket.socket) -> None:
        # Not loop.sock_accept: cancelled just after it accepted, it forgets the connection without closing it.
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def _change(self, profile: LinkProfile | LinkTrace) -> None:
        self._up.change(profile.up, profile.jitter_ms / 1e3)
        self._down.change(profile.down, profile.jitter_ms / 1e3)

    async def _cut(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _end(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()
        await self._cut()

    def _accept(self, listener: socket.socket) -> None:
        try:
            device, _ = listener.accept()
        except OSError:  # it is gone again, or we are out of file descriptors: the loop asks again
            return
        connection = asyncio.ensure_future(self._serve(device))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        # Not left to _serve: if it is cancelled before its first step, it never runs.
        connection.add_done_callback(lambda _: device.close())

    async def _serve(self, device: socket.socket) -> None:
        server: socket.socket | None = None
        try:
            server = await connect(*self._target)
            await carry(device, server, self._up, self._down, self._clock)
        except (OSError, asyncio.CancelledError):
            # Nobody listens, one side broke, or we cut: each side must see a broken connection, not a short answer.
            for end in filter(None, (device, server)):
                set_reset_on_close(end)
        finally:
            if server is not None:
                server.close()
