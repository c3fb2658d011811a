"""Headers read by the standard library agree with Pillow, and damage never raises."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from midspan_client.engine import PillowEngine
from midspan_client.photo import Header, read_header


def encoded(format_, mode, size=(37, 21), **options):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format_, **options)
    return buffer.getvalue()


def with_orientation(orientation, size=(40, 20), format_="JPEG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "x" * 3000  # a segment to walk over
    return encoded(format_, "RGB", size, exif=exif)


@pytest.mark.parametrize(("data", "content_type", "simple"), [
    (encoded("JPEG", "RGB"), "image/jpeg", True),
    (encoded("JPEG", "L"), "image/jpeg", True),
    (encoded("JPEG", "RGB", progressive=True), "image/jpeg", True),
    (encoded("JPEG", "CMYK"), "image/jpeg", False),
    (encoded("PNG", "RGB"), "image/png", True),
    (encoded("PNG", "L"), "image/png", True),
    (encoded("PNG", "RGBA"), "image/png", False),
    (encoded("PNG", "P"), "image/png", False),
    (encoded("PNG", "I;16"), "image/png", False),
    (encoded("PNG", "RGB", transparency=(0, 0, 0)), "image/png", False),
    (encoded("WEBP", "RGB"), "image/webp", True),
    (encoded("WEBP", "RGB", lossless=True), "image/webp", True),
    (encoded("WEBP", "RGBA"), "image/webp", None),
    (encoded("WEBP", "RGB", exif=Image.Exif()), "image/webp", True),
])  # fmt: skip
def test_headers(data, content_type, simple):
    header = read_header(data)
    assert (header.content_type, header.width_px, header.height_px) == (content_type, 37, 21)
    assert simple is None or header.simple is simple


def test_orientation_does_not_change_what_is_stored():
    assert (read_header(with_orientation(6)).width_px, read_header(with_orientation(6)).height_px) == (40, 20)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"just text", b"\xff\xd8\xff", b"RIFF....WEBP", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_has_an_empty_header(data):
    assert read_header(data) == Header()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([encoded("JPEG", "RGB"), encoded("PNG", "RGB"), encoded("WEBP", "RGB", lossless=True),
                        encoded("WEBP", "RGBA", exif=Image.Exif())]), st.data())  # fmt: skip
def test_damage_never_raises(data, draw):
    damaged = bytearray(data[: draw.draw(st.integers(0, len(data)))])
    for _ in range(draw.draw(st.integers(0, 4))):
        if damaged:
            damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    header = read_header(bytes(damaged))
    assert header.width_px >= 0
    assert header.height_px >= 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_engine_agrees_with_the_servers_geometry(orientation):
    """Upright first, then shorter side to 64, then the middle 48: against Pillow doing exactly that."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.linear_gradient("L").resize((200, 130)).rotate(20, resample=Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", exif=exif)
    engine = PillowEngine()
    made = engine.resize(engine.decode(buffer.getvalue(), 128), 64, 48)
    assert made.size == (48, 48)
    from PIL import ImageOps

    with Image.open(buffer) as stored:
        upright = ImageOps.exif_transpose(stored)
    width, height = (round(side * 64 / 130) for side in upright.size)
    whole = upright.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - 48) // 2, (height - 48) // 2
    wanted = whole.crop((left, top, left + 48, top + 48))
    differences = [abs(a - b) for a, b in zip(made.tobytes(), wanted.tobytes(), strict=True)]
    assert max(differences) <= 2


def test_large_jpegs_are_decoded_at_a_reduced_scale():
    image = PillowEngine().decode(encoded("JPEG", "RGB", (1600, 1200)), 300)
    assert 300 <= min(image.size) < 1200


def test_small_pictures_are_enlarged():
    engine = PillowEngine()
    assert engine.resize(engine.decode(encoded("JPEG", "L", (10, 3)), 512), 256, 224).size == (224, 224)
