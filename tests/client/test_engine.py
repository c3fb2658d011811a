"""Both routes see the same picture: what the device made of a photo, the server would have made of it, too."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from midspan.bundle import Preprocessing
from midspan.estimate.features import DECODE_MARGIN
from midspan.preprocess.header import read_header
from midspan.preprocess.prepare import prepare
from midspan_client.engine import PillowEngine
from midspan_client.photo import Photo

PREP = Preprocessing(96, 110, (0.0,) * 3, (1.0,) * 3)
QUALITY = 100
MEAN, LARGEST = 1.5, 24  # of 255: coding at quality 100 with half the chroma, of a picture with hard edges of colour
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def picture(width=400, height=300):
    """Smooth colours, other ones in each corner."""
    across, down = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    planes = (across * down, 1 - across * (1 - down), 0.5 + 0.5 * np.sin(6 * across + 4 * down))
    return Image.fromarray((np.stack(planes, -1) * 255).astype(np.uint8))


def encoded(image, container="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, container, **({"quality": 95} if container != "PNG" else {}), **options)
    return buffer.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def wide_gamut_profile():
    """A small ICC profile with Adobe RGB's primaries and gamma. Source: ICC.1:2010, clause 7."""

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": gamma,
        b"gTRC": gamma,
        b"bTRC": gamma,
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(79),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
    }
    offset, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12x4s28xiii48x", offset + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ",
                       b"acsp", 63190, 65536, 54061)  # fmt: skip
    return head + table + body


def on_the_server(payload, *, preprocessed=False):
    return prepare(read_header(payload, "", 10**8), PREP, preprocessed=preprocessed)[0]


def sent(payload, quality=QUALITY):
    """What the route `resized` sends."""
    engine = PillowEngine()
    assert Photo(payload).header.simple
    image = engine.decode(payload, DECODE_MARGIN * PREP.resize_px)
    return engine.encode(engine.resize(image, PREP.resize_px, PREP.side_px), quality)


def assert_same(payload):
    small = sent(payload)
    difference = np.abs(on_the_server(small, preprocessed=True) - on_the_server(payload))
    assert difference.mean() < MEAN
    assert difference.max() < LARGEST
    return small


ICC = {"icc_profile": wide_gamut_profile()}


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_format(container, mode, orientation):
    assert_same(encoded(picture().convert(mode), container, exif=exif(orientation)))


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP"])
def test_a_colour_profile_changes_nothing_on_either_way(container):
    from PIL import ImageCms

    assert ImageCms.getOpenProfile(io.BytesIO(ICC["icc_profile"])).profile.is_matrix_shaper
    plain, profiled = (encoded(picture(), container, **options) for options in ({}, ICC))
    assert Image.open(io.BytesIO(profiled)).info["icc_profile"] == ICC["icc_profile"]
    assert np.array_equal(on_the_server(plain), on_the_server(profiled))
    assert assert_same(profiled) == sent(plain), "and no byte is spent on it"


@pytest.mark.parametrize("options", [
    {}, {"progressive": True}, {"subsampling": 0}, {"exif": exif(6)}, {"comment": b"x" * 1000}, {"xmp": XMP},
])  # fmt: skip
@pytest.mark.parametrize("size", [(400, 300), (1601, 1203), (60, 45), (97, 300)])
def test_jpegs_of_all_kinds_and_sizes(options, size):
    assert_same(encoded(picture(*size), **options))


def test_several_pictures_in_one_file_are_the_first():
    phone = io.BytesIO()
    picture().save(phone, "MPO", save_all=True, append_images=[Image.new("RGB", (400, 300))], exif=exif(8))
    assert_same(phone.getvalue())


def test_only_exif_turns_a_picture():
    upright = sent(encoded(picture()))
    assert sent(encoded(picture(), xmp=XMP)) == upright
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(exif(6).tobytes()):8}\n{exif(6).tobytes().hex()}\n")
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    assert_same(encoded(picture(), "PNG", pnginfo=texts))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow says so when it opens the file
@pytest.mark.parametrize("block", [
    b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0nonsense" * 9,
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0\0\0\0\0",
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01six\0\0\0\0\0",
])  # fmt: skip
def test_damaged_exif_means_upright(block):
    assert sent(encoded(picture(), exif=block)) == sent(encoded(picture()))
    assert_same(encoded(picture(), exif=block))


def test_what_is_sent_carries_nothing_but_the_picture():
    small = Image.open(io.BytesIO(sent(encoded(picture(), exif=exif(3), comment=b"home", xmp=XMP, **ICC), 90)))
    small.load()
    assert (small.mode, small.size, small.layers) == ("RGB", (96, 96), 3)
    assert not {"exif", "icc_profile", "xmp", "progressive"} & set(small.info)
    gray = Image.open(io.BytesIO(sent(encoded(picture().convert("L")))))
    assert gray.mode == "L"


@pytest.mark.parametrize("payload", [
    encoded(picture().convert("CMYK")), encoded(picture().convert("RGBA"), "PNG"),
    encoded(picture().convert("P"), "PNG"), encoded(picture().convert("1"), "PNG"),
    encoded(Image.new("I;16", (9, 9)), "PNG"), encoded(picture().convert("LA"), "PNG"),
])  # fmt: skip
def test_unusual_pictures_are_left_to_the_server(payload):
    assert not Photo(payload).header.simple
