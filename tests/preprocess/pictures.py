"""Pictures made to order, whole and broken, and how far a tensor lies from the reference. Helpers, not tests."""

from __future__ import annotations

import importlib.util
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from midspan.bundle import Preprocessing
from midspan.preprocess.header import read_header
from midspan.preprocess.prepare import prepare
from midspan.zoo.reference import reference_tensor

PREP = Preprocessing(side_px=224, resize_px=256, mean=(127.0,) * 3, std=(128.0,) * 3)
SMALL = Preprocessing(side_px=28, resize_px=32, mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP")


def textured(width_px, height_px, seed=0, mode="RGB"):
    """A smooth picture with edges and a little noise, none of its corners alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(2, height_px // 24), max(2, width_px // 24), 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width_px, height_px), Image.Resampling.BICUBIC), np.int16)
    noisy = np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)
    image = Image.fromarray(noisy)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode in ("LA", "RGBA"):
        alpha = Image.fromarray(noisy[:, ::-1, 1])
        image = image.convert(mode[:-1])
        image.putalpha(alpha)
        return image
    return image.quantize(64) if mode == "P" else image.convert(mode)


def encode(image, container, **options):
    file = BytesIO()
    image.save(file, container, **options)
    return file.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def insert_chunk(png, kind, body):
    """`png` with one more chunk right after its header."""
    return png[:33] + chunk(kind, body) + png[33:]


def claim_size(jpeg, width_px, height_px):
    """`jpeg` with another size in its frame header."""
    at = min(at for at in (jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2")) if at >= 0)
    size = height_px.to_bytes(2, "big") + width_px.to_bytes(2, "big")
    return jpeg[: at + 5] + size + jpeg[at + 9 :]


def tensor(payload, preprocessing=PREP, *, content_type="", preprocessed=False, max_pixels=MAX_PIXELS):
    picture = read_header(payload, content_type, max_pixels)
    assert picture is not None, "not recognised as a picture"
    return prepare(picture, preprocessing, preprocessed=preprocessed)


def difference(payload, preprocessing=PREP):
    """Mean and largest absolute difference from the reference, in units of 0..255."""
    std = np.asarray(preprocessing.std, np.float32).reshape(3, 1, 1)
    gap = np.abs(tensor(payload, preprocessing) - reference_tensor(payload, preprocessing)) * std
    return float(gap.mean()), float(gap.max())


@cache
def photos():
    """The photos that foolbox's package brings, found without importing it."""
    found = importlib.util.find_spec("foolbox")
    assert found
    assert found.submodule_search_locations
    paths = sorted(Path(found.submodule_search_locations[0], "data").glob("imagenet_*.jpg"))
    assert len(paths) == 20
    return tuple(paths)
