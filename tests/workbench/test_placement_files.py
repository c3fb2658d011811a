"""Files of coefficients and sizes may hold anything: typed errors that say where."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from midspan import cli
from midspan.errors import ConfigError
from midspan.workbench.placement.cells import read_coefficients
from midspan.workbench.placement.request import PhotoSize
from midspan.workbench.placement.sizes import read_sizes

DATA = Path(__file__).parents[2] / "benchmarks/placement"
GOOD = json.loads((DATA / "coefficients.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def coefficients():
    return read_coefficients(DATA / "coefficients.json")


def changed(path, value):
    tables = copy.deepcopy(GOOD)
    table = tables
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return json.dumps(tables)


BAD_COEFFICIENTS = {
    "": "is not JSON",
    "[": "is not JSON",
    "[" * 100_000: "is not JSON",
    "[]": "constants must be a table",
    "1" * 5000: "is not JSON",
    changed(["constants"], None): "constants must be a table",
    changed(["constants", "alpha"], 1.5): "constants.alpha must be a number between 0 and 1",
    changed(["constants", "target_side_px"], 0): "target_side_px must be a number between 1",
    changed(["constants", "jpeg_quality"], 90.5): "jpeg_quality must be a whole number",
    changed(["constants", "mean_preprocessed_bytes"], True): "mean_preprocessed_bytes must be a number",
    changed(["in_cloud_preprocess"], [1]): "in_cloud_preprocess must be [slope_ms_per_mb, intercept_ms]",
    changed(["in_cloud_preprocess"], [0, 0]): "must not be all zeros",
    changed(["network", "residential"], {}): "network.residential.nexus5 must be",
    changed(["network", "university", "pixel2"], [1, -1]): "network.university.pixel2 must be a number between 0",
    changed(["on_device_preprocess", "nexus5"], [float("nan"), 1]): "on_device_preprocess.nexus5 must be a number",
    changed(["on_device_preprocess", "nexus5"], [float("inf"), 1]): "on_device_preprocess.nexus5 must be a number",
    changed(["on_device_preprocess", "nexus5"], ["1", 1]): "on_device_preprocess.nexus5 must be a number",
    " " * (1 << 20) + "{}": "more than the 1048576 bytes",
}


@pytest.mark.parametrize(("text", "message"), BAD_COEFFICIENTS.items(), ids=BAD_COEFFICIENTS.values())
def test_bad_coefficients_are_named(text, message, tmp_path):
    path = tmp_path / "coefficients.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_coefficients(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "nexus5"]), inner, max_size=3),
)
PATHS = st.sampled_from(
    [
        ["constants", "alpha"],
        ["constants"],
        ["in_cloud_preprocess"],
        ["network", "residential"],
        ["on_device_preprocess"],
    ]
)


@settings(max_examples=200)
@given(PATHS, JSON)
def test_any_value_anywhere_is_read_or_refused(path, value):
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(changed(path, value))
        file.flush()
        try:
            found = read_coefficients(Path(file.name))
        except ConfigError:
            return
    for cell in found.cells:
        assert 0 < cell.link.seconds(1_000_000) < 1e5


BAD_SIZES = {
    "": "needs the columns bytes,width,height",
    "bytes,width\n1,2\n": "needs the columns bytes,width,height",
    "bytes,width,height\n": "has no rows",
    "bytes,width,height\n1,2\n": "line 2: height must be a whole number between 1 and 65535, got 'None'",
    "bytes,width,height\n1,2,3\n-1,2,3\n": "line 3: bytes must be a whole number",
    "bytes,width,height\n0,2,3\n": "line 2: bytes must be a whole number",
    "bytes,width,height\n1e3,2,3\n": "bytes must be a whole number",
    "bytes,width,height\n1_0,2,3\n": "bytes must be a whole number",
    "bytes,width,height\n\u0661,2,3\n": "bytes must be a whole number",
    "bytes,width,height\n99999999999,2,3\n": "between 1 and 67108864",
    "bytes,width,height\n1,2,70000\n": "height must be a whole number between 1 and 65535",
    f"bytes,width,height\n{'9' * 5000},2,3\n": "bytes must be a whole number",
    "bytes,width,height,sent_bytes\n1,2,3,x\n": "sent_bytes must be a whole number",
    f'bytes,width,height\n"{"9" * 200_000}",2,3\n': "line",
    "bytes,width,height\n" + "1,2,3\n" * 100_001: "at most 100000 rows",
}


@pytest.mark.parametrize(
    ("text", "message"), BAD_SIZES.items(), ids=[m + str(i) for i, m in enumerate(BAD_SIZES.values())]
)
def test_bad_sizes_are_named(text, message, tmp_path, coefficients):
    path = tmp_path / "sizes.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_sizes(path, coefficients, 10)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_is_no_text_or_not_there_is_refused(tmp_path, coefficients):
    path = tmp_path / "sizes.csv"
    with pytest.raises(ConfigError, match="No such file"):
        read_sizes(path, coefficients, 10)
    path.write_bytes(b"bytes,width,height\n\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_sizes(path, coefficients, 10)
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(ConfigError, match="more than the 16777216 bytes"):
        read_sizes(path, coefficients, 10)


def test_columns_in_any_order_with_others_and_a_sent_size(tmp_path, coefficients):
    path = tmp_path / "sizes.csv"
    path.write_text("\ufeffname,height,width,bytes,sent_bytes\na,3,2,1,44\nb,6,5,4,\n", "utf-8")
    first, second = read_sizes(path, coefficients, 10)
    assert (first.size, first.sent_bytes) == (PhotoSize(1, 2, 3), 44)
    assert (second.size, second.sent_bytes) == (PhotoSize(4, 5, 6), None)


def test_blanks_around_names_and_numbers_are_nothing(tmp_path, coefficients):
    path = tmp_path / "sizes.csv"
    path.write_text("bytes, width ,height\t\n1, 2 ,3\n", "utf-8")
    assert [one.size for one in read_sizes(path, coefficients, 10)] == [PhotoSize(1, 2, 3)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["placement", "simulate", "--sizes", str(DATA / "sizes.csv"), "--coefficients"],
        ["placement", "simulate", "--coefficients", str(DATA / "coefficients.json"), "--sizes"],
        ["placement", "replay", "--log"],
        ["placement", "fit", "--log"],
        ["bench", "links", "--trace"],
    ],
    ids=lambda arguments: " ".join((*arguments[:2], arguments[-1])),
)
def test_a_pipe_is_refused_rather_than_waited_for(arguments, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert cli.main([*arguments, str(pipe)]) == 1
    assert f"{pipe}: it is no regular file" in capsys.readouterr().err


def test_photos_of_a_folder_are_really_resized(tmp_path, coefficients):
    Image.effect_noise((900, 600), 60).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    Image.new("RGB", (700, 500), "navy").save(tmp_path / "b.jpg", quality=95)
    done = []
    noise, plain = read_sizes(tmp_path, coefficients, 10, done.append)
    assert done == [1, 2]
    assert noise.size == PhotoSize((tmp_path / "a.jpg").stat().st_size, 900, 600)
    assert plain.size == PhotoSize((tmp_path / "b.jpg").stat().st_size, 700, 500)
    assert 331**2 * 0.1 < noise.sent_bytes < noise.size.photo_bytes
    assert plain.sent_bytes < 5000
    assert len(read_sizes(tmp_path, coefficients, 1)) == 1


def test_photos_that_are_none_are_named(tmp_path, coefficients):
    with pytest.raises(ConfigError, match="no photos"):
        read_sizes(tmp_path, coefficients, 10)
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(ConfigError, match=r"a\.jpg is no JPEG, PNG or WebP"):
        read_sizes(tmp_path, coefficients, 10)
    Image.new("RGB", (700, 500)).save(tmp_path / "b.jpg")
    damaged = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(damaged[: len(damaged) // 2])
    with pytest.raises(ConfigError, match=r"a\.jpg cannot be resized"):
        read_sizes(tmp_path, coefficients, 10)
