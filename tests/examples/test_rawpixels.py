"""The example package: its format, and its server half on the pipeline."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from midspan_rawpixels import wire
from midspan_rawpixels.server import RawPixelsPlugin

from midspan.bundle import Preprocessing
from midspan.errors import BadPayloadError, ConfigError, PayloadTooLargeError, RequestError
from midspan.types import Request

SIDE_PX = 8


class Variant:
    """As much of a variant as the plug-in looks at."""

    name = "tiny"
    preprocessing = Preprocessing(SIDE_PX, SIDE_PX, (10.0, 20.0, 30.0), (2.0, 4.0, 8.0))


def squares():
    return st.integers(1, 12).flatmap(
        lambda side: st.tuples(st.just(side), st.binary(min_size=3 * side**2, max_size=3 * side**2))
    )


def refused_or_not_ours(payload):
    """Whether reading all of it was refused with a RequestError; nothing else may be raised, nor all go well."""
    try:
        read = wire.read(payload, max_side_px=100)
        if read is None:
            return False
        read.pixels()
    except RequestError:
        return True
    raise AssertionError(f"{payload!r} was read as pixels")


def frame(stream, side_px=SIDE_PX, *, version=wire.VERSION):
    body = struct.pack(">4sBHI", b"MRPX", version, side_px, len(stream)) + stream
    return body + struct.pack(">I", zlib.crc32(body))


@given(squares(), st.integers(0, 9))
def test_what_was_packed_is_read_back(square, level):
    side_px, pixels = square
    read = wire.read(wire.pack(side_px, pixels, level), wire.MAX_SIDE_PX)
    assert read is not None
    assert (read.side_px, read.pixels()) == (side_px, pixels)


@given(squares(), st.data())
def test_a_flipped_bit_is_refused_or_not_ours(square, data):
    payload = wire.pack(*square)
    at = data.draw(st.integers(0, len(payload) - 1))
    damaged = payload[:at] + bytes([payload[at] ^ data.draw(st.integers(1, 255))]) + payload[at + 1 :]
    assert refused_or_not_ours(damaged) == (at >= 4)


@given(squares(), st.data())
def test_a_payload_cut_short_or_longer_is_refused_or_not_ours(square, data):
    payload = wire.pack(*square)
    kept = data.draw(st.integers(0, len(payload) - 1))
    assert refused_or_not_ours(payload[:kept]) == (kept >= 4)
    assert refused_or_not_ours(payload + data.draw(st.binary(min_size=1, max_size=9)))


@given(st.binary(max_size=200))
def test_any_bytes_after_the_magic_are_refused(tail):
    assert refused_or_not_ours(b"MRPX" + tail)


@given(st.binary(max_size=300), st.integers(0, 2**16 - 1), st.integers(0, 3))
def test_a_sealed_container_of_anything_is_refused(stream, side_px, version):
    assert refused_or_not_ours(frame(stream, side_px, version=version))


@pytest.mark.parametrize(
    "stream",
    [
        zlib.compress(b"\0" * (3 * SIDE_PX**2 - 1)),
        zlib.compress(b"\0" * (3 * SIDE_PX**2 + 1)),
        zlib.compress(b"\0" * (3 * SIDE_PX**2))[:-1],
        zlib.compress(b"\0" * (3 * SIDE_PX**2)) + b"\0",
        zlib.compress(b"\0" * 50_000_000),
        b"",
    ],
    ids=["short", "long", "unfinished", "trailing", "bomb", "empty"],
)
def test_a_stream_must_hold_what_its_side_says(stream):
    read = wire.read(frame(stream), 100)
    assert read
    with pytest.raises(BadPayloadError, match="does not hold the 192 bytes"):
        read.pixels()


def test_a_side_beyond_the_limit_is_too_large():
    with pytest.raises(PayloadTooLargeError, match="side_px is 101; at most 100"):
        wire.read(frame(b"", 101), 100)


@pytest.mark.parametrize(("side_px", "count"), [(0, 0), (2, 11), (2, 13), (5000, 75_000_000)])
def test_packing_refuses_what_is_no_square(side_px, count):
    with pytest.raises(BadPayloadError):
        wire.pack(side_px, b"\0" * count)


def test_the_server_half_prepares_what_the_variant_asks_for():
    pixels = np.random.default_rng(7).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    plugin = RawPixelsPlugin()
    decoded = plugin.midspan_decode(Request(wire.pack(SIDE_PX, pixels.tobytes()), wire.CONTENT_TYPE))
    prepared = plugin.midspan_prepare(decoded, Variant())
    assert prepared.cut == 0
    assert prepared.tensor.shape == (1, 3, SIDE_PX, SIDE_PX)
    assert prepared.tensor.dtype == np.float32
    assert prepared.tensor.flags.c_contiguous
    for channel, (mean, std) in enumerate([(10, 2), (20, 4), (30, 8)]):
        assert np.allclose(prepared.tensor[0, channel], (pixels[:, :, channel] - float(mean)) / std)


def test_the_server_half_leaves_other_payloads_to_others():
    plugin = RawPixelsPlugin()
    assert plugin.midspan_decode(Request(b"\xff\xd8\xff\xe0", "image/jpeg")) is None
    assert plugin.midspan_prepare(type("Decoded", (), {"kind": "image"}), Variant()) is None


def test_the_server_half_refuses_what_is_not_as_declared():
    with pytest.raises(BadPayloadError, match="not with our magic"):
        RawPixelsPlugin().midspan_decode(Request(b"\xff\xd8\xff\xe0", wire.CONTENT_TYPE))


def test_the_server_half_refuses_another_variants_size():
    plugin = RawPixelsPlugin()
    decoded = plugin.midspan_decode(Request(wire.pack(4, b"\0" * 48)))
    with pytest.raises(BadPayloadError, match="side_px is 4 but 'tiny' takes 8"):
        plugin.midspan_prepare(decoded, Variant())


def test_options_bound_the_side():
    plugin = RawPixelsPlugin()
    plugin.midspan_configure({"max_side_px": 4}, context=None)
    assert plugin.midspan_describe() == {"version": 1, "max_side_px": 4}
    with pytest.raises(PayloadTooLargeError):
        plugin.midspan_decode(Request(wire.pack(5, b"\0" * 75)))
    with pytest.raises(ConfigError, match=r"plugins\.rawpixels\.max_side_px must be between 1 and 4096"):
        plugin.midspan_configure({"max_side_px": 0}, context=None)
    with pytest.raises(ConfigError, match="did you mean 'max_side_px'"):
        plugin.midspan_configure({"max_side": 4}, context=None)
