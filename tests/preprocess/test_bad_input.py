from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from preprocess_pictures import FORMATS, PREP, SMALL, chunk, claim_size, encode, exif, photos, tensor, textured

from midspan.errors import BadPayloadError, PayloadTooLargeError, RequestError
from midspan.preprocess.header import read_header
from midspan.preprocess.prepare import prepare

VARIETIES = {
    "jpeg": lambda image: encode(image, "JPEG", exif=exif(6)),
    "jpeg, progressive": lambda image: encode(image, "JPEG", progressive=True),
    "jpeg, restarts": lambda image: encode(image, "JPEG", restart_marker_blocks=1),
    "jpeg, cmyk": lambda image: encode(image.convert("CMYK"), "JPEG"),
    "png": lambda image: encode(image, "PNG", exif=exif(8)),
    "png, palette": lambda image: encode(image.quantize(16), "PNG", transparency=3),
    "png, 16 bits": lambda image: encode(Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257), "PNG"),
    "png, animated": lambda image: encode(image, "PNG", save_all=True, append_images=[image.rotate(90)]),
    "webp": lambda image: encode(image, "WEBP", exif=exif(3)),
    "webp, lossless": lambda image: encode(image, "WEBP", lossless=True),
    "webp, animated": lambda image: encode(image, "WEBP", save_all=True, append_images=[image.rotate(90)]),
}


@pytest.mark.parametrize("make", VARIETIES.values(), ids=VARIETIES)
@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_truncated_picture_is_refused_never_half_shown(make, tenth):
    payload = make(textured(120, 90))
    with pytest.raises(BadPayloadError):
        tensor(payload[: len(payload) * tenth // 10])


@pytest.mark.parametrize("tenth", range(10))
def test_a_truncated_photo_is_refused_and_says_so(tenth):
    payload = photos()[0].read_bytes()
    with pytest.raises(BadPayloadError, match=r"truncated|look like nothing"):
        tensor(payload[: len(payload) * tenth // 10], content_type="image/jpeg")


@pytest.mark.parametrize("make", VARIETIES.values(), ids=VARIETIES)
def test_even_the_last_byte_counts(make):
    payload = make(textured(50, 40))
    assert tensor(payload).shape == (1, 3, 224, 224)
    with pytest.raises(BadPayloadError):
        tensor(payload[:-1])


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x89", b"R"])
def test_empty_and_one_byte_are_refused_where_a_picture_was_promised(payload):
    with pytest.raises(BadPayloadError, match="declared as image/jpeg but the first bytes look like"):
        tensor(payload, content_type="image/jpeg")


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"RIFF\4\0\0\0WEBP"])
def test_a_magic_and_nothing_else_is_refused(magic):
    with pytest.raises(BadPayloadError):
        tensor(magic)


def huge_headers():
    jpeg = encode(Image.new("RGB", (8, 8)), "JPEG")
    png = encode(Image.new("RGB", (8, 8)), "PNG")
    webp = encode(Image.new("RGBA", (8, 8), (0, 0, 0, 9)), "WEBP")
    wide = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", (2**31 - 1).to_bytes(4, "big") * 2 + png[24:29]) + png[33:]
    yield "jpeg 60000x60000", claim_size(jpeg, 60_000, 60_000)
    yield "jpeg 65535x65535", claim_size(jpeg, 65_535, 65_535)
    yield "png 60000x60000", png[:8] + chunk(b"IHDR", (60_000).to_bytes(4, "big") * 2 + png[24:29]) + png[33:]
    yield "png 2147483647x2147483647", wide
    yield "webp 16777216x16777216", webp[:24] + b"\xff" * 6 + webp[30:]


@pytest.mark.parametrize(("name", "payload"), list(huge_headers()), ids=[name for name, _ in huge_headers()])
def test_a_huge_claim_is_refused_before_anything_is_allocated(name, payload):
    tracemalloc.start()
    with pytest.raises(
        PayloadTooLargeError, match=rf"{name.split()[1]} pixels, \d+ in all; at most 50000000 are allowed"
    ):
        tensor(payload)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100_000


@pytest.mark.parametrize("size", [(64, 96), (64, 49), (600, 48), (2000, 2000)])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 1}])
def test_a_jpeg_with_fewer_rows_than_its_header_says_is_refused(size, options):
    payload = encode(textured(64, 48), "JPEG", **options)
    with pytest.raises(BadPayloadError, match="truncated"):
        tensor(claim_size(payload, *size))


@pytest.mark.parametrize("rows", [0, 1, 20, 39])
@pytest.mark.parametrize("split", [False, True], ids=["one chunk", "chunks of a byte"])
def test_a_png_with_fewer_rows_than_its_header_says_is_refused(rows, split):
    data = zlib.compress(b"".join(b"\0" + bytes(range(90)) for _ in range(rows)))
    pieces = [data[at : at + 1] for at in range(len(data))] if split else [data]
    header = (30).to_bytes(4, "big") + (40).to_bytes(4, "big") + b"\x08\x02\0\0\0"
    coded = b"".join(chunk(b"IDAT", piece) for piece in pieces)
    payload = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + coded + chunk(b"IEND", b"")
    with pytest.raises(BadPayloadError, match="truncated"):
        tensor(payload)


@pytest.mark.parametrize("size", [(1, 1), (3000, 3000), (40, 30)])
def test_a_webp_whose_canvas_lies_is_refused(size):
    payload = encode(textured(41, 30, mode="RGBA"), "WEBP")
    lie = payload[:24] + b"".join((side - 1).to_bytes(3, "little") for side in size) + payload[30:]
    with pytest.raises(BadPayloadError):
        tensor(lie)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("height_px", [60, 500])
def test_a_webp_with_fewer_rows_than_its_header_says_is_refused(lossless, height_px):
    payload = bytearray(encode(textured(64, 48), "WEBP", lossless=lossless))
    if lossless:
        payload[21:25] = (63 | (height_px - 1) << 14).to_bytes(4, "little")
    else:
        payload[28:30] = height_px.to_bytes(2, "little")
    with pytest.raises(BadPayloadError):
        tensor(bytes(payload))


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_a_damaged_png_is_refused_by_its_checksum(at):
    payload = bytearray(encode(textured(60, 60), "PNG"))
    payload[int(len(payload) * at)] ^= 0x40
    with pytest.raises(BadPayloadError, match="checksum"):
        tensor(bytes(payload))


def damaged_jpegs():
    payload = encode(textured(40, 30), "JPEG")
    frame = payload.find(b"\xff\xc0")
    end = frame + 2 + int.from_bytes(payload[frame + 2 : frame + 4], "big")
    yield "two frame headers", payload[:end] + payload[frame:end] + payload[end:]
    yield "no frame header", payload[:frame] + payload[end:]
    yield "lossless", payload[: frame + 1] + b"\xc3" + payload[frame + 2 :]
    yield "does not fit its components", payload[: frame + 9] + b"\x09" + payload[frame + 10 :]
    yield "1, 3 or 4 of 8 bits", payload[: frame + 4] + b"\x0c" + payload[frame + 5 :]
    yield "impossible length", payload[: frame + 2] + b"\0\1" + payload[frame + 4 :]
    yield "without a picture", payload[:frame] + b"\xff\xd9"
    yield "at least one", claim_size(payload, 40, 0)
    yield "cannot be decoded", payload.replace(b"\xff\xdb", b"\xff\xfe")


@pytest.mark.parametrize(("reason", "payload"), list(damaged_jpegs()), ids=[reason for reason, _ in damaged_jpegs()])
def test_a_damaged_jpeg_is_refused_with_the_reason(reason, payload):
    with pytest.raises(BadPayloadError, match=reason):
        tensor(payload)


def damaged_pngs():
    png = encode(textured(40, 30), "PNG")
    start, header, rest = png[:8], png[8:33], png[33:]
    yield "must come first and once", start + rest
    yield "must come first and once", start + header + header + rest
    yield "header is not valid", start + chunk(b"IHDR", header[8:16] + b"\x03\x02\0\0\0") + rest
    yield "header is not valid", start + chunk(b"IHDR", b"\0\1\2") + rest
    yield "no picture data", start + header + chunk(b"IEND", b"")
    yield "truncated", start + header + b"\xff\xff\xff\xffIDAT" + rest
    yield "cannot be decoded", start + header + chunk(b"IDAT", b"not zlib") + chunk(b"IEND", b"")


@pytest.mark.parametrize(("reason", "payload"), list(damaged_pngs()))
def test_a_damaged_png_is_refused_with_the_reason(reason, payload):
    with pytest.raises(BadPayloadError, match=reason):
        tensor(payload)


def survives(payload, content_type=""):
    """Any bytes give a tensor of the right shape or a RequestError, never anything else."""
    try:
        picture = read_header(payload, content_type, 1_000_000)
        if picture is not None:
            pixels = prepare(picture, SMALL)
            assert pixels.shape == (1, 3, 28, 28)
            assert np.isfinite(pixels).all()
    except RequestError:
        pass


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([make(textured(37, 52, 1)) for make in VARIETIES.values()]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.booleans(),
)
def test_mutated_pictures_are_answered_or_refused(payload, changes, in_the_head):
    mutated = bytearray(payload)
    span = min(len(payload), 200) if in_the_head else len(payload)
    for place, value in changes:
        mutated[int(place * (span - 1))] = value
    survives(bytes(mutated))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([make(textured(37, 52, 2)) for make in VARIETIES.values()]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.binary(max_size=30),
)
def test_spliced_pictures_are_answered_or_refused(payload, start, end, patch):
    first, last = sorted((int(start * len(payload)), int(end * len(payload))))
    survives(payload[:first] + patch + payload[last:])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 "]),
    st.binary(max_size=300),
    st.sampled_from(["", "image/jpeg", "image/gif", "text/plain", "no type at all", ";;;"]),
)
def test_any_bytes_are_answered_or_refused(magic, noise, content_type):
    survives(magic + noise, content_type)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"acTL"]), st.binary(max_size=40))),
    st.data(),
)
def test_pngs_of_valid_chunks_in_any_order_are_answered_or_refused(chunks, data):
    colour = data.draw(st.sampled_from([0, 2, 3, 4, 6]))
    header = b"\0\0\0\x09\0\0\0\x07" + bytes(
        [data.draw(st.sampled_from([1, 2, 4, 8, 16])), colour, 0, 0, data.draw(st.integers(0, 1))]
    )
    rows = zlib.compress(bytes(9 * 8 * 7 + 7))
    body = b"".join(chunk(kind, part) for kind, part in chunks)
    tail = chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    survives(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + tail)


@pytest.mark.parametrize("container", FORMATS)
def test_memory_stays_within_what_the_limit_on_pixels_promises(container):
    script = """
import resource, sys
from midspan.bundle import Preprocessing
from midspan.preprocess.header import read_header
from midspan.preprocess.prepare import prepare
prep = Preprocessing(224, 256, (127.0,) * 3, (128.0,) * 3)
def run(payload):
    prepare(read_header(payload, "", 4_000_000), prep)
payload = sys.stdin.buffer.read()
small, large = payload[8 : 8 + int.from_bytes(payload[:8], "big")], payload[8 + int.from_bytes(payload[:8], "big") :]
run(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(large)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    mode = "CMYK" if container == "JPEG" else "RGBA"
    options = {"progressive": True, "subsampling": 0} if container == "JPEG" else {}
    small, large = (encode(Image.new(mode, (side, side), (9, 90, 200, 77)), container, **options) for side in (8, 2000))
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=len(small).to_bytes(8, "big") + small + large,
        capture_output=True,
        check=True,
        timeout=60,
    )
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit_bytes <= 18 * 4_000_000 + 4 * 2**20


def test_pillow_s_global_state_is_left_alone():
    before = Image.MAX_IMAGE_PIXELS
    tensor(encode(textured(30, 30), "PNG"), PREP)
    assert before == Image.MAX_IMAGE_PIXELS
