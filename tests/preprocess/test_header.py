from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from preprocess_pictures import FORMATS, MAX_PIXELS, chunk, encode, exif, insert_chunk, photos, tensor, textured

from midspan.errors import BadPayloadError, PayloadTooLargeError
from midspan.preprocess import exif as exif_reader
from midspan.preprocess import jpeg, png, webp
from midspan.preprocess.header import CONTENT_TYPES, looks_like, read_header, sniff

TEXT = b"Dear server, this is not a photo.\n"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 8), st.sampled_from(FORMATS), st.booleans())
def test_size_and_orientation_are_those_that_pillow_finds(width_px, height_px, orientation, container, alpha):
    image = Image.new("RGBA" if alpha and container != "JPEG" else "RGB", (width_px, height_px), (9, 8, 7))
    options = {"lossless": True} if container == "WEBP" and height_px % 2 else {}
    payload = encode(image, container, exif=exif(orientation), **options)
    picture = read_header(payload, "", MAX_PIXELS)
    with Image.open(BytesIO(payload)) as seen:
        assert (picture.format, picture.width_px, picture.height_px) == (seen.format, *seen.size)
        assert picture.orientation == seen.getexif()[0x0112]


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"save_all": True, "append_images": [Image.new("RGB", (9, 7), "red")]}]
)
def test_every_kind_of_webp_states_its_canvas(options):
    picture = read_header(encode(Image.new("RGB", (9, 7)), "WEBP", **options), "image/webp", MAX_PIXELS)
    assert (picture.width_px, picture.height_px) == (9, 7)


@pytest.mark.parametrize("declared", ["", "application/octet-stream", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("container", FORMATS)
def test_pictures_are_claimed_by_their_magic(container, declared):
    assert read_header(encode(textured(20, 20), container), declared, MAX_PIXELS).format == container


@pytest.mark.parametrize(("declared", "container"), CONTENT_TYPES.items())
def test_a_true_content_type_is_accepted(declared, container):
    payload = encode(textured(20, 20), container)
    assert read_header(payload, f" {declared.upper()}; q=1", MAX_PIXELS).format == container


@pytest.mark.parametrize("declared", ["image/png", "image/gif", "image/x-unheard-of", "text/plain"])
def test_a_content_type_that_contradicts_the_bytes_is_refused(declared):
    with pytest.raises(BadPayloadError, match=rf"declared as {declared} but .* a JPEG"):
        read_header(encode(textured(20, 20), "JPEG"), declared, MAX_PIXELS)


def test_text_named_jpg_is_refused_with_what_it_looks_like():
    with pytest.raises(
        BadPayloadError, match=r"declared as image/jpeg but the first bytes look like text: 'Dear server"
    ):
        read_header(TEXT, "image/jpeg", MAX_PIXELS)


@pytest.mark.parametrize("declared", ["", "image/gif", "image/x-unheard-of", "application/json"])
@pytest.mark.parametrize("payload", [TEXT, b"", b"\xff", b"GIF89a", b"RIFF\4\0\0\0WAVE"])
def test_what_is_neither_ours_nor_claimed_to_be_is_left_to_others(payload, declared):
    assert read_header(payload, declared, MAX_PIXELS) is None


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "nothing: the payload is empty"),
        (b"\xff\xd8\xff\xe0", "a JPEG"),
        (b"GIF89a\1\0", "a GIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF or AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video or another ISO media file"),
        (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html><html lang=en>", "text: '<!DOCTYPE html><html lan'"),
        (b"\xff", "bytes: ff"),
        (b"\0\1\2\3\4\5\6\7\x08", "bytes: 00 01 02 03 04 05 06 07"),
    ],
)
def test_first_bytes_in_words(payload, words):
    assert looks_like(payload) == words


@pytest.mark.parametrize("container", FORMATS)
def test_more_pixels_than_allowed_are_refused_with_both_numbers(container):
    payload = encode(Image.new("RGB", (30, 40)), container)
    assert read_header(payload, "", 1200).height_px == 40
    with pytest.raises(PayloadTooLargeError, match=r"30x40 pixels, 1200 in all; at most 1199 are allowed"):
        read_header(payload, "", 1199)


def test_metadata_never_reaches_the_decoder():
    icc = b"\0" * 60_000
    dirty = encode(textured(40, 30), "JPEG", exif=exif(1), icc_profile=icc, comment=b"c" * 50_000)
    clean = encode(textured(40, 30), "JPEG")
    assert b"".join(read_header(dirty, "", MAX_PIXELS).parts) == b"".join(read_header(clean, "", MAX_PIXELS).parts)
    assert len(dirty) > len(clean) + 100_000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"zTXt", b"a\0\0" + zlib.compress(bytes(20_000_000), 9)),
        (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(20_000_000), 9)),
        (b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000), 9)),
        (b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 200_000),
        (b"acTL", b"\0\0\0\0\0\0\0\0"),
        (b"fcTL", b"\0" * 26),
        (b"tEXt", b"exif\0" + b"\xff" * 1000),
    ],
)
def test_a_png_s_bombs_and_damaged_extras_are_not_even_opened(kind, body):
    plain = encode(textured(40, 30), "PNG")
    assert (tensor(insert_chunk(plain, kind, body)) == tensor(plain)).all()


def test_too_many_chunks_are_refused():
    payload = encode(textured(9, 9), "PNG")
    many = payload[:33] + chunk(b"tEXt", b"") * png.MAX_CHUNKS + payload[33:]
    with pytest.raises(PayloadTooLargeError, match=f"more than {png.MAX_CHUNKS} chunks"):
        read_header(many, "", MAX_PIXELS)


def test_too_many_jpeg_headers_are_refused():
    payload = encode(textured(9, 9), "JPEG")
    with pytest.raises(PayloadTooLargeError, match=f"more than {jpeg.MAX_HEADERS} headers"):
        read_header(payload[:2] + b"\xff\xfe\0\2" * jpeg.MAX_HEADERS + payload[2:], "", MAX_PIXELS)
    table = b"\xff\xdb\xff\xff" + bytes(0xFFFD)
    with pytest.raises(PayloadTooLargeError, match=f"at most {jpeg.MAX_KEPT_BYTES} are allowed"):
        read_header(payload[:2] + table * 5 + payload[2:], "", MAX_PIXELS)


def test_too_many_scans_are_refused():
    payload = encode(textured(64, 64), "JPEG", progressive=True)
    scan = payload.rfind(b"\xff\xda")
    many = payload[:-2] + payload[scan:-2] * jpeg.MAX_SCANS + payload[-2:]
    with pytest.raises(PayloadTooLargeError, match=f"scans; at most {jpeg.MAX_SCANS} are allowed"):
        read_header(many, "", MAX_PIXELS)


def test_too_many_webp_chunks_are_refused():
    payload = encode(textured(9, 9), "WEBP")
    body = payload[8:] + b"JUNK\0\0\0\0" * webp.MAX_CHUNKS
    with pytest.raises(PayloadTooLargeError, match=f"more than {webp.MAX_CHUNKS} chunks"):
        read_header(b"RIFF" + len(body).to_bytes(4, "little") + body, "", MAX_PIXELS)


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize(("kind", "value", "expected"), [(3, 6, 6), (4, 8, 8), (3, 0, 1), (3, 9, 1), (2, 6, 1)])
def test_orientation_in_either_byte_order_and_of_either_type(byte_order, kind, value, expected):
    import struct

    head = {"<": b"II*\0", ">": b"MM\0*"}[byte_order]
    entry = struct.pack(byte_order + ("HHIHH" if kind == 3 else "HHII"), 0x0112, kind, 1, value, *([0] * (kind == 3)))
    if kind == 2:
        entry = struct.pack(byte_order + "HHII", 0x0112, kind, 1, value)
    block = head + struct.pack(byte_order + "IH", 8, 1) + entry
    assert exif_reader.orientation(block) == expected
    assert exif_reader.orientation(b"Exif\0\0" + block) == expected


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0"]))
def test_damaged_exif_means_upright(noise, head):
    assert 1 <= exif_reader.orientation(head + noise) <= 8


def test_fill_bytes_and_junk_between_segments_are_skipped():
    payload = encode(textured(30, 20), "JPEG")
    for junk in (b"\xff" * 100_000, b"\0\x07junk", b"\xff\xd0\xff\x01\xff\0"):
        dirty = payload[:20] + junk + payload[20:]  # after the first segment
        assert (tensor(dirty) == tensor(payload)).all()


@pytest.mark.parametrize("path", photos()[:3], ids=lambda path: path.stem)
def test_a_photo_is_recognised_whatever_follows_it(path):
    payload = path.read_bytes()
    assert (tensor(payload + b"trailing" * 1000) == tensor(payload)).all()
    assert sniff(payload) == "JPEG"
