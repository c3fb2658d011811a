from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from midspan.bundle import Preprocessing
from midspan.zoo.reference import reference_tensor

PREPROCESSING = Preprocessing(4, 4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "nearest")
RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(image, kind="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def colour(contents):
    return tuple(int(value) for value in reference_tensor(contents, PREPROCESSING)[0, :, 1, 1])


def test_shape_type_and_arithmetic():
    preprocessing = Preprocessing(5, 8, (10.0, 20.0, 30.0), (2.0, 4.0, 8.0))
    tensor = reference_tensor(encoded(Image.new("RGB", (17, 31), (50, 60, 70))), preprocessing)
    assert tensor.shape == (1, 3, 5, 5)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor[0, :, 0, 0], [20, 10, 5])


def test_the_middle_is_kept():
    image = Image.new("RGB", (12, 4), "white")
    image.paste(RED, (4, 0, 8, 4))
    assert set(map(tuple, reference_tensor(encoded(image), PREPROCESSING)[0].reshape(3, -1).T)) == {RED}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(orientation):
    upright = Image.new("RGB", (4, 4), "white")
    upright.putpixel((0, 0), RED)
    upright.putpixel((1, 0), (0, 0, 255))
    turns = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}  # what undoes each orientation
    stored = upright
    for turn in turns.get(orientation, []):
        stored = stored.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    tensor = reference_tensor(encoded(stored, exif=exif), PREPROCESSING)
    np.testing.assert_array_equal(tensor, reference_tensor(encoded(upright), PREPROCESSING))


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.new("L", (9, 9), 77), "PNG", (77, 77, 77)),
        (Image.new("1", (9, 9), 1), "PNG", WHITE),
        (Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG", (156, 156, 156)),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 0)), "PNG", WHITE),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 255)), "PNG", RED),
        (Image.new("LA", (9, 9), (0, 0)), "PNG", WHITE),
        (Image.new("RGB", (9, 9), RED).convert("P"), "PNG", RED),
        (Image.new("RGB", (9, 9), RED).convert("P"), "GIF", RED),
        (Image.new("RGB", (9, 9), RED).convert("CMYK"), "TIFF", RED),
    ],
)
def test_every_kind_of_picture_becomes_rgb(image, kind, expected):
    assert colour(encoded(image, kind)) == expected


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (9, 9), 3)
    image.putpalette([0, 0, 0] * 3 + [255, 0, 0])
    assert colour(encoded(image)) == RED
    assert colour(encoded(image, transparency=3)) == WHITE
