import io

import pytest
from PIL import Image

from midspan.errors import ConfigError
from midspan.workbench.photos import LabelledPhoto, at_several_sizes, bundled_photos, directory_photos


def jpeg(width, height):
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_the_bundled_photos_are_twenty_labelled_images():
    photos = bundled_photos()
    assert len(photos) == 20
    assert photos[0].name == "imagenet_00_243.jpg"
    assert photos[0].class_index == 243
    for photo in photos:
        assert 0 <= photo.class_index < 1000
        assert Image.open(io.BytesIO(photo.data)).format == "JPEG"


def test_copies_at_several_sizes_keep_label_and_shape():
    photos = [LabelledPhoto(f"{i}.jpg", jpeg(300, 200), i) for i in range(5)]
    copies = at_several_sizes(photos, (150, None, 900))
    assert [copy.class_index for copy in copies] == [0, 1, 2, 3, 4]
    sizes = [Image.open(io.BytesIO(copy.data)).size for copy in copies]
    assert sizes == [(150, 100), (300, 200), (900, 600), (150, 100), (300, 200)]
    assert copies[1] is photos[1], "left as it is"
    assert copies[2].name == "2.jpg@900"


def directory(tmp_path, table):
    (tmp_path / "labels.csv").write_text(table, "utf-8")
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_directory_of_ones_own(tmp_path):
    path = directory(tmp_path, "file,class_index,name\nb.jpg,7,cock\na.jpg,0,tench\nc.jpg,3,shark\n")
    assert directory_photos(path, 2) == [LabelledPhoto("b.jpg", b"b.jpg", 7), LabelledPhoto("a.jpg", b"a.jpg", 0)]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "needs the columns"),
        ("file,label\na.jpg,1\n", "needs the columns"),
        ("file,class_index\n", "names no photos"),
        ("file,class_index\na.jpg\n", "line 2: class_index must be"),
        ("file,class_index\na.jpg,-1\n", "class_index must be"),
        ("file,class_index\na.jpg,cat\n", "class_index must be"),
        ("file,class_index\na.jpg,9999999\n", "class_index must be"),
        ("file,class_index\n../a.jpg,1\n", "not a plain file name"),
        ("file,class_index\n/etc/passwd,1\n", "not a plain file name"),
        ("file,class_index\n..,1\n", "not a plain file name"),
        ("file,class_index\n,1\n", "not a plain file name"),
        ("file,class_index\na.jpg,1\nz.jpg,1\n", r"line 3: cannot read .*z\.jpg"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, table, reason):
    with pytest.raises(ConfigError, match=reason):
        directory_photos(directory(tmp_path, table), 20)


def test_a_directory_without_a_table(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*labels\.csv"):
        directory_photos(tmp_path, 20)


def test_a_photo_that_is_too_large(tmp_path):
    path = directory(tmp_path, "file,class_index\nhuge.jpg,1\n")
    with (path / "huge.jpg").open("wb") as file:
        file.truncate((64 << 20) + 1)  # sparse
    with pytest.raises(ConfigError, match="more than the 67108864 bytes"):
        directory_photos(path, 20)
