from __future__ import annotations

import dataclasses
from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from preprocess_pictures import PREP, SMALL, difference, encode, exif, photos, tensor, textured

from midspan.estimate.features import DECODE_MARGIN, jpeg_scale
from midspan.preprocess.header import read_header
from midspan.preprocess.prepare import REDUCING_GAP
from midspan.zoo.reference import reference_tensor

# What docs/preprocessing.md states, in units of 0..255.
# Rows may be resized before columns or after, and each pass rounds to whole values: even "exact" is within one or two.
EXACT_MEAN, EXACT_MAX = 0.3, 2
SCALED_MEAN, SCALED_MAX = 1.25, 16

ORIENTATION = st.integers(1, 8)


def is_scaled(width_px, height_px, container, preprocessing=SMALL):
    """Whether decoding or averaging leaves out pixels that the reference looks at."""
    short_px = min(width_px, height_px)
    if container == "JPEG" and jpeg_scale(width_px, height_px, DECODE_MARGIN * preprocessing.resize_px) > 1:
        return True
    return short_px / preprocessing.resize_px >= 2 * REDUCING_GAP


def assert_close(payload, scaled, preprocessing=SMALL):
    mean, largest = difference(payload, preprocessing)
    assert mean <= (SCALED_MEAN if scaled else EXACT_MEAN)
    assert round(largest) <= (SCALED_MAX if scaled else EXACT_MAX)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(["JPEG", "PNG", "WEBP"]), st.integers(0, 9))
@example(1, 1, "JPEG", 0)
@example(32, 32, "PNG", 0)
@example(28, 299, "WEBP", 0)
def test_any_size_in_any_format_equals_the_reference(width_px, height_px, container, seed):
    payload = encode(textured(width_px, height_px, seed), container)
    assert_close(payload, is_scaled(width_px, height_px, container))


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 200), st.integers(20, 200), ORIENTATION, st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_every_orientation_equals_the_reference(width_px, height_px, orientation, container):
    payload = encode(textured(width_px, height_px), container, exif=exif(orientation))
    assert_close(payload, is_scaled(width_px, height_px, container))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_of_one_scene_give_one_tensor(orientation):
    upright = textured(97, 61)
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored = encode(upright, "PNG", exif=exif(back))
    stored = ImageOps.exif_transpose(Image.open(BytesIO(stored)))
    payload = encode(stored, "PNG", exif=exif(orientation))
    expected = tensor(encode(upright, "PNG"), SMALL)
    assert round(np.abs(tensor(payload, SMALL) - expected).max() * 58.4) <= EXACT_MAX


@pytest.mark.parametrize(
    ("mode", "container"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("L", "JPEG"),
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "WEBP"),
        ("RGBA", "WEBP"),
    ],
)
@pytest.mark.parametrize("size", [(40, 31), (64, 90), (33, 33)])
def test_every_mode_equals_the_reference(mode, container, size):
    assert_close(encode(textured(*size, mode=mode), container), is_scaled(*size, container))


@pytest.mark.parametrize("transparency", [3, bytes(range(0, 256, 4))], ids=["one entry", "an alpha for each"])
def test_palette_with_transparency_equals_the_reference(transparency):
    assert_close(encode(textured(60, 50, mode="P"), "PNG", transparency=transparency), False)


@pytest.mark.parametrize(("mode", "transparency"), [("RGB", (200, 10, 30)), ("L", 0)])
def test_a_transparent_colour_is_white(mode, transparency):
    image = Image.new(mode, (40, 40), transparency)
    pixels = tensor(encode(image, "PNG", transparency=transparency), SMALL)
    white = tensor(encode(Image.new("RGB", (40, 40), "white"), "PNG"), SMALL)
    assert np.array_equal(pixels, white)


def test_what_is_transparent_is_white_whatever_its_colour():
    image = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    assert np.allclose(tensor(encode(image, "PNG"), PREP), 1.0)


@pytest.mark.parametrize("size", [(40, 31), (200, 90)])
def test_sixteen_bits_of_grey_are_read_as_eight(size):
    deep, flat = textured(*size, mode="I;16"), textured(*size, mode="L")
    assert np.array_equal(tensor(encode(deep, "PNG"), SMALL), tensor(encode(flat, "PNG"), SMALL))


def test_inverted_cmyk_of_adobe_keeps_its_colours():
    red = Image.new("RGB", (64, 64), (230, 20, 30)).convert("CMYK")
    payload = encode(red, "JPEG", quality=95)
    assert b"Adobe" in payload
    pixels = tensor(payload, PREP)[0].mean(axis=(1, 2)) * 128 + 127
    assert np.abs(pixels - (230, 20, 30)).max() < 6


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 2}])
def test_jpeg_variants_equal_the_reference(options):
    assert_close(encode(textured(60, 47), "JPEG", **options), False)


@pytest.mark.parametrize("container", ["WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(container):
    frames = [textured(64, 48, seed) for seed in range(3)]
    moving = encode(frames[0], container, save_all=True, append_images=frames[1:], duration=50, lossless=True)
    still = encode(frames[0], container, lossless=True)
    assert np.abs(tensor(moving, SMALL) - tensor(still, SMALL)).max() * 58.4 <= EXACT_MAX
    assert_close(moving, False)


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (20_000, 3), (1, 1)])
@pytest.mark.parametrize("container", ["PNG", "JPEG"])
def test_extreme_shapes_are_answered_without_the_reference_s_huge_strip(size, container):
    pixels = tensor(encode(textured(*size), container), PREP)
    assert pixels.shape == (1, 3, 224, 224)
    assert np.isfinite(pixels).all()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_every_interpolation_equals_the_reference(interpolation):
    preprocessing = dataclasses.replace(SMALL, interpolation=interpolation)
    assert_close(encode(textured(75, 50), "PNG"), False, preprocessing)


@pytest.mark.parametrize("path", photos(), ids=lambda path: path.stem)
def test_photos_equal_the_reference(path):
    assert_close(path.read_bytes(), False, PREP)


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP"])
def test_large_photos_stay_within_the_tolerance(times, container):
    with Image.open(photos()[10]) as photo:
        large = photo.resize((photo.width * times, photo.height * times), Image.Resampling.LANCZOS)
    assert_close(encode(large, container), True, PREP)


def test_preprocessed_of_the_right_size_is_used_as_it_is():
    image = textured(224, 224)
    pixels = tensor(encode(image, "PNG"), PREP, preprocessed=True)
    expected = (np.asarray(image, np.float32).transpose(2, 0, 1)[None] - 127) / 128
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("size", [(300, 200), (100, 224), (1, 1), (2000, 1500)])
def test_preprocessed_of_another_size_is_resized_whole(size):
    image = textured(*size)
    pixels = tensor(encode(image, "PNG"), PREP, preprocessed=True)
    whole = image.resize((224, 224), Image.Resampling.BICUBIC)
    expected = (np.asarray(whole, np.float32).transpose(2, 0, 1)[None] - 127) / 128
    assert np.abs(pixels - expected).max() * 128 <= SCALED_MAX


def test_the_result_is_a_contiguous_row_for_a_batch():
    pixels = tensor(encode(textured(50, 40), "PNG"), SMALL)
    assert pixels.shape == (1, 3, 28, 28)
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert pixels.flags.owndata


@pytest.mark.parametrize(("short_px", "scale"), [(511, 1), (512, 1), (1023, 1), (1024, 2), (2048, 4), (8000, 8)])
def test_jpegs_are_decoded_no_smaller_than_resizing_wants(short_px, scale):
    assert jpeg_scale(short_px, short_px + 1, 512) == scale


@settings(max_examples=40, deadline=None)
@given(st.integers(64, 700), st.integers(64, 700))
def test_a_scaled_decode_keeps_the_crop_in_its_place(width_px, height_px):
    # A ramp shows a shift of the crop as an offset of all values.
    ramp = np.linspace(0, 255, width_px, dtype=np.float32)[None, :].repeat(height_px, 0)
    payload = encode(Image.fromarray(ramp.astype(np.uint8)).convert("RGB"), "JPEG", quality=98)
    ours, reference = tensor(payload, SMALL), reference_tensor(payload, SMALL)
    assert abs(float((ours - reference).mean())) * 58.4 < 0.8


def test_a_header_read_twice_is_the_same_picture():
    payload = encode(textured(50, 40), "JPEG", exif=exif(6))
    first, second = (read_header(payload, "image/jpeg", 10_000) for _ in range(2))
    assert first == second
    assert first.upright_size_px == (40, 50)
