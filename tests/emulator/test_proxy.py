import random
import socket
import statistics
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from midspan.emulator import LinkEmulator, LinkProfile, LinkTrace, TraceStep
from midspan.errors import ConfigError, UnavailableError

FAST = LinkProfile("fast", up_mbps=400, down_mbps=400)


def receive(end, size):
    parts = []
    while size:
        part = end.recv(min(size, 1 << 18))
        if not part:
            raise ConnectionError("ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Echoer:
    """A server: 8 bytes say how much comes and how much to answer; what came is answered first, then zeros."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(end,), daemon=True).start()

    def serve(self, end):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with end:
            try:
                while True:
                    up, down = struct.unpack(">II", receive(end, 8))
                    end.sendall(receive(end, up)[:down].ljust(down, b"\0"))
            except OSError:
                return


@pytest.fixture(scope="module")
def echoer():
    server = Echoer()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()


@pytest.fixture
def link_to(echoer):
    """Makes a link of a profile and a connection through it."""
    opened = []

    def make(profile, connections=1):
        link = LinkEmulator("127.0.0.1", echoer.port, profile, rng=random.Random(7))
        opened.append(link.start())
        ends = [socket.create_connection(("127.0.0.1", link.port)) for _ in range(connections)]
        opened.extend(ends)
        for end in ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(60)
        return link, *ends

    yield make
    for thing in opened:
        thing.close()


def ask(end, up=0, down=1, data=None):
    """Seconds that one exchange takes, and what was answered."""
    body = data if data is not None else bytes(up)
    start = time.monotonic()
    end.sendall(struct.pack(">II", len(body), down) + body)
    answer = receive(end, down)
    return time.monotonic() - start, answer


def typical_s(end, times, **exchange):
    """The median of the quicker half: other work on the machine only ever adds time, and the link is not to blame."""
    took_s = sorted(ask(end, **exchange)[0] for _ in range(times))
    return statistics.median(took_s[: times // 2 + 1])


# The emulator's promise: 5% in rate and 2 ms in delay.


@pytest.mark.parametrize(("mbps", "payload_bytes"), [(2, 150_000), (20, 1_500_000), (100, 6_000_000)])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_rate_is_within_5_percent(link_to, mbps, payload_bytes, direction):
    slow, fast = LinkProfile("up", mbps, 1_000), LinkProfile("down", 1_000, mbps)
    _, end = link_to(slow if direction == "up" else fast)
    took_s = typical_s(end, 5, **{direction: payload_bytes})
    assert payload_bytes * 8 / 1e6 / took_s == pytest.approx(mbps, rel=0.05)


@pytest.mark.parametrize("delay_ms", [0, 1, 12.5, 40, 150])
def test_the_delay_is_within_2_ms_each_way(link_to, delay_ms):
    _, end = link_to(LinkProfile("far", 400, 400, delay_ms))
    assert typical_s(end, 21) * 1e3 == pytest.approx(2 * delay_ms, abs=2 * 2)


def test_jitter_strays_around_the_delay_and_no_further(link_to):
    _, end = link_to(LinkProfile("shaky", 400, 400, delay_ms=20, jitter_ms=10))
    took_ms = [ask(end)[0] * 1e3 for _ in range(40)]
    assert min(took_ms) > 2 * (20 - 10 - 2)
    assert min(took_ms) < 40 - 10 / 2, "some are much quicker than the middle"
    assert sum(took < 2 * (20 + 10 + 2) for took in took_ms) > len(took_ms) / 2
    assert statistics.pstdev(took_ms) > 4  # of the sum of two uniform delays of ±10 ms: 8.2


def test_rate_and_delay_add_up(link_to):
    _, end = link_to(LinkProfile("lte", 12, 12, delay_ms=35))
    took_s = typical_s(end, 3, up=500_000)
    assert took_s == pytest.approx(500_008 * 8 / 12e6 + 0.070, rel=0.05)


def test_connections_share_the_link(link_to):
    _, *ends = link_to(LinkProfile("shared", 20, 20), connections=4)

    def all_at_once():
        start = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            took_s = [took for took, _ in pool.map(lambda end: ask(end, up=300_000), ends)]
        # Not equal: who comes first has filled the link's queue before the others speak.
        assert min(took_s) > 0.5 * max(took_s), "nobody starves, nobody has it all"
        return time.monotonic() - start

    whole_s = statistics.median(sorted(all_at_once() for _ in range(5))[:3])
    assert 4 * 300_000 * 8 / 1e6 / whole_s == pytest.approx(20, rel=0.05)


def test_a_trace_with_an_outage(link_to):
    on, off = TraceStep(200, 40, 0), TraceStep(600, 0, 0)  # 1 MB in 200 ms, then nothing for 600
    _, end = link_to(LinkTrace("tunnel", (on, off), (on,)))
    took_s, _ = ask(end, up=1_500_000)
    assert took_s == pytest.approx(0.2 + 0.6 + 0.1, rel=0.1)  # part of the first 200 ms is over by the time we send


def test_bytes_arrive_unharmed_and_in_order_whatever_the_jitter(link_to):
    link, end = link_to(LinkProfile("shaky", 200, 200, delay_ms=10, jitter_ms=10))
    data = random.Random(1).randbytes(3_000_000)
    _, answer = ask(end, data=data, down=len(data))
    assert answer == data
    assert link.bytes_up == len(data) + 8
    assert link.bytes_down == len(data)


def test_the_sender_feels_the_rate(link_to):
    _, end = link_to(LinkProfile("slow", 0.1, 100))
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    end.setblocking(False)
    accepted = 0
    try:
        while accepted < 50_000_000:
            accepted += end.send(bytes(10_000))
    except BlockingIOError:
        pass
    assert accepted < 1_000_000


def test_a_receiver_that_does_not_read_is_not_buffered_for_ever(link_to):
    link, end = link_to(LinkProfile("wide", 10_000, 10_000))
    end.sendall(struct.pack(">II", 0, 300_000_000))
    seen = -1
    while seen != link._down.passed_bytes:  # until nothing more moves
        seen = link._down.passed_bytes
        time.sleep(0.3)
    assert seen < 20_000_000
    link.cut()


def test_an_outage_lasts_until_the_profile_changes(link_to):
    link, end = link_to(FAST)
    assert link.profile is FAST
    link.set_profile(LinkProfile("out", 0, 0))
    end.settimeout(0.3)
    with pytest.raises(TimeoutError):
        ask(end)
    link.set_profile(FAST)
    end.settimeout(60)
    assert receive(end, 1) == b"\0"  # the answer to what was sent during the outage
    assert ask(end, up=1000, down=10)[1] == bytes(10)


def test_a_slower_profile_holds_for_what_comes_next(link_to):
    link, end = link_to(FAST)
    ask(end, up=100_000)
    link.set_profile(LinkProfile("slow", 4, 4))
    assert typical_s(end, 3, up=200_000) == pytest.approx(200_000 * 8 / 4e6, rel=0.05)


def test_a_cut_breaks_connections_and_takes_new_ones(link_to):
    link, first, second = link_to(LinkProfile("slow", 1, 1, delay_ms=20), connections=2)
    ask(first)
    first.sendall(struct.pack(">II", 100_000, 1) + bytes(50_000))
    link.cut()
    for end in (first, second):
        with pytest.raises(ConnectionError):
            receive(end, 1)
    with socket.create_connection(("127.0.0.1", link.port)) as third:
        assert ask(third, down=3)[1] == bytes(3)


def test_a_stream_that_ends_still_gets_its_answer():
    """Half-closed connections: the device has said all, the server answers at the end of the stream."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            end, _ = listener.accept()
            with end:
                got = b"".join(iter(lambda: end.recv(65_536), b""))
                end.sendall(got[::-1])

        thread = threading.Thread(target=serve)
        thread.start()
        profile = LinkProfile("lte", 12, 12, delay_ms=35)
        with LinkEmulator("localhost", listener.getsockname()[1], profile) as link:
            with socket.create_connection(("127.0.0.1", link.port)) as end:
                end.sendall(b"abc" * 50_000)
                end.shutdown(socket.SHUT_WR)
                assert b"".join(iter(lambda: end.recv(65_536), b"")) == b"cba" * 50_000
            thread.join()


def test_nobody_listens_behind_the_link():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with LinkEmulator("127.0.0.1", port, FAST) as link:
        for _ in range(2):  # the link itself goes on
            end = socket.create_connection(("127.0.0.1", link.port))
            with end, pytest.raises(ConnectionError):
                receive(end, 1)


def test_a_server_that_breaks_is_seen_as_broken():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        LinkEmulator("127.0.0.1", listener.getsockname()[1], FAST) as link,
        socket.create_connection(("127.0.0.1", link.port)) as end,
    ):
        end.sendall(b"hello")
        server, _ = listener.accept()
        receive(server, 5)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        with pytest.raises(ConnectionResetError):
            end.recv(1)


def test_start_once_close_often(echoer):
    link = LinkEmulator("127.0.0.1", echoer.port, FAST)
    with pytest.raises(UnavailableError):
        _ = link.port
    link.set_profile(LinkProfile("other", 1, 1))
    link.cut()
    link.start()
    port = link.port
    with pytest.raises(UnavailableError, match="once"):
        link.start()
    with pytest.raises(ConfigError, match=f"port {port}"):
        LinkEmulator("127.0.0.1", echoer.port, FAST, port=port).start()
    link.close()
    link.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    LinkEmulator("127.0.0.1", echoer.port, FAST).close()
