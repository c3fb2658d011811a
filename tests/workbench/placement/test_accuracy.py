"""What preprocessing on the device costs: the counting by hand, and the whole command on real photos."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midspan import bundle as bundles
from midspan.bundle import PreprocessedAccuracy, Preprocessing
from midspan.cli import main
from midspan.errors import BadPayloadError, ConfigError, InternalError
from midspan.pipeline import Pipeline
from midspan.types import Response
from midspan.workbench.photos import PhotoFile, find_photos
from midspan.workbench.placement.accuracy import (
    AccuracyRow,
    InCloud,
    Measurement,
    Plan,
    measure_accuracy,
    resize_px_of,
    write_rows,
)
from midspan.workbench.placement.accuracy_picture import draw
from midspan_client import Client, Objective
from midspan_client.engine import PillowEngine
from midspan_client.providers.resized import ResizedProvider

PREP = Preprocessing(224, 256, (127.0,) * 3, (128.0,) * 3)


def encoded(image, container="JPEG"):
    buffer = io.BytesIO()
    image.save(buffer, container)
    return buffer.getvalue()


def grey(value):
    return encoded(Image.new("L", (40, 40), value))


class CountingEngine:
    """Its pictures say by which side and quality they were made."""

    def __init__(self):
        self.decoded = []

    def decode(self, data, at_least_px):
        self.decoded.append(at_least_px)
        return int(np.asarray(Image.open(io.BytesIO(data))).mean())

    def resize(self, image, resize_px, side_px):
        return image, resize_px, side_px

    def encode(self, image, quality):
        return json.dumps([*image, quality]).encode().ljust(image[2] + quality)


def infer(requests):
    """The class is the photo's grey value; small or coarse pictures of light ones are taken for class 0."""
    answers = []
    for request in requests:
        assert request.parameters["variant"] == "v"
        scores = np.zeros(256, np.float32)
        if request.parameters.get("preprocessed"):
            assert request.content_type == "image/jpeg"
            value, resize_px, side_px, quality = json.loads(request.payload)
            assert resize_px == resize_px_of(PREP, side_px)
            scores[0 if value > side_px or (value > 100 and quality < 90) else value] = 1
        else:
            scores[int(np.asarray(Image.open(io.BytesIO(request.payload))).mean())] = 1
        answers.append(Response({}, scores))
    return answers


def files(directory, photos):
    """Photos of `(bytes, class)`."""
    found = []
    for number, (data, truth) in enumerate(photos):
        path = directory / f"{number}.jpg"
        path.write_bytes(data)
        found.append(PhotoFile(path, truth))
    return found


def plan(sides=(128, 224), qualities=(75, 90)):
    return Plan("v", PREP, sides, qualities)


def test_the_counting(tmp_path):
    photos = files(tmp_path, [(grey(50), 50), (grey(110), 110), (grey(150), 7), (grey(200), None)])
    engine, done = CountingEngine(), []
    found = measure_accuracy(photos, plan(), engine, infer, report=done.append)
    sizes = [len(photo.read()) for photo in photos]
    assert found.in_cloud == InCloud(pytest.approx(2 / 3), sum(sizes) / 4, 4, 3)
    assert [(row.side_px, row.quality) for row in found.rows] == [(128, 75), (128, 90), (224, 75), (224, 90)]
    assert [row.agreement for row in found.rows] == [0.25, 0.5, 0.25, 1.0]
    assert [row.top1 for row in found.rows] == pytest.approx([1 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert [row.bytes_mean for row in found.rows] == [203, 218, 299, 314]
    assert {(row.top1_in_cloud, row.images) for row in found.rows} == {(found.in_cloud.top1, 4)}
    assert (done, found.skipped) == (photos, ())
    assert engine.decoded == [292, 512] * 4, "once a side, and never below twice what resizing wants"


def test_without_any_known_class_there_is_agreement_alone(tmp_path):
    found = measure_accuracy(files(tmp_path, [(grey(50), None)]), plan(), CountingEngine(), infer)
    assert found.in_cloud.top1 is None
    assert {(row.top1, row.top1_in_cloud, row.agreement) for row in found.rows} == {(None, None, 1.0)}


def test_what_a_device_would_send_as_it_is_is_skipped(tmp_path):
    transparent = encoded(Image.new("RGBA", (9, 9)), "PNG")
    photos = [*files(tmp_path, [(transparent, 1), (grey(5), 5), (b"text", 2)]), PhotoFile(tmp_path / "gone.jpg", 3)]
    found = measure_accuracy(photos, plan(), CountingEngine(), infer)
    assert found.in_cloud.images == 1
    assert [reason.partition(":")[0] for reason in found.skipped] == ["0.jpg", "2.jpg", "gone.jpg"]
    with pytest.raises(ConfigError, match=r"none of the 1 photos could be measured; the first: 0\.jpg"):
        measure_accuracy(photos[:1], plan(), CountingEngine(), infer)


def test_what_the_server_refuses_is_skipped_and_its_own_failure_ends_it(tmp_path):
    photos = files(tmp_path, [(grey(5), 5), (grey(6), 6)])

    def answering(error):
        return lambda requests: [error] if requests[0].payload == photos[0].read() else infer(requests)

    found = measure_accuracy(photos, plan(), CountingEngine(), answering(BadPayloadError("damaged")))
    assert found.skipped == ("0.jpg: the server refuses it: damaged",)
    with pytest.raises(InternalError, match="my fault"):
        measure_accuracy(photos, plan(), CountingEngine(), answering(InternalError("my fault")))


@pytest.mark.parametrize(("sides", "qualities"), [
    ((), (90,)), ((0,), (90,)), ((4097,), (90,)), ((224, 224), (90,)), ((224,), ()), ((224,), (101,)), ((224,), (0,)),
    ((224,), (90, 90)),
])  # fmt: skip
def test_plans_that_cannot_work(sides, qualities):
    with pytest.raises(ConfigError, match="all different"):
        plan(sides, qualities)


@pytest.mark.parametrize("side_px", [1, 100, 128, 224, 331, 4096])
def test_every_side_shows_the_same_part_of_a_photo(side_px):
    resize_px = resize_px_of(PREP, side_px)
    assert resize_px >= side_px
    assert abs(resize_px / side_px - 256 / 224) <= 0.5 / side_px


def photos_of_foolbox(count):
    """The smallest ones, without importing foolbox, which takes seconds."""
    found = importlib.util.find_spec("foolbox")
    paths = Path(found.submodule_search_locations[0]).glob("data/imagenet_*.jpg")
    return sorted(paths, key=lambda path: path.stat().st_size)[:count]


@pytest.fixture
def own_bundle(small_bundle, tmp_path):
    directory = tmp_path / "bundle"
    shutil.copytree(small_bundle, directory, symlinks=True)
    return directory


@pytest.fixture
def images(tmp_path):
    directory = tmp_path / "photos"
    directory.mkdir()
    for path in photos_of_foolbox(4):
        shutil.copyfile(path, directory / path.name)
    return directory


def test_rows_are_written_for_the_variants_own_side(own_bundle):
    rows = [
        AccuracyRow(224, 90, 0.8, 0.9, 0.85, 16e3, 20),
        AccuracyRow(128, 90, 0.5, 0.9, 0.5, 6e3, 20),
        AccuracyRow(224, 75, None, None, 0.8, 1e4, 20),
    ]
    before = bundles.load(own_bundle)
    write_rows(own_bundle, "lite0", rows)
    after = bundles.load(own_bundle, verify=True)
    written = (PreprocessedAccuracy(90, 0.85, 16e3, 20, 0.8, 0.9), PreprocessedAccuracy(75, 0.8, 1e4, 20))
    variant = dataclasses.replace(before.variants[0], preprocessed=written)
    assert after == dataclasses.replace(before, variants=(variant,))
    with pytest.raises(ConfigError, match="nothing was measured at 224 px"):
        write_rows(own_bundle, "lite0", rows[1:2])
    assert bundles.load(own_bundle) == after


def test_the_command_on_real_photos(own_bundle, images, tmp_path, capsys):
    options = ["--sides", "64,224", "--qualities", "5,90", "--picture", str(tmp_path / "a.png"), "--write", "--json"]
    where = ["--images", str(images), "--bundle", str(own_bundle)]
    assert main(["placement", "accuracy", *where, *options]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert (tables["variant"], tables["variant_side_px"], tables["skipped"]) == ("lite0", 224, [])
    assert tables["in_cloud"]["labelled"] == tables["in_cloud"]["images"] == 4
    rows = {(row["side_px"], row["quality"]): row for row in tables["rows"]}
    assert list(rows) == [(64, 5), (64, 90), (224, 5), (224, 90)]
    for row in rows.values():
        assert set(row) == {"side_px", "quality", "top1", "top1_in_cloud", "agreement", "bytes_mean", "images"}
    assert rows[224, 90]["agreement"] >= 0.75 >= rows[64, 5]["agreement"]
    assert rows[64, 5]["bytes_mean"] < rows[64, 90]["bytes_mean"] < rows[224, 90]["bytes_mean"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    written = bundles.load(own_bundle).variant("lite0").preprocessed
    assert [(row.quality, row.agreement) for row in written] == [(q, rows[224, q]["agreement"]) for q in (5, 90)]


def test_the_command_prints_a_table(own_bundle, images, capsys):
    (images / "labels.csv").write_text(f"file,class_index\n{sorted(images.iterdir())[0].name},999\n")
    where = ["--images", str(images), "--bundle", str(own_bundle)]
    assert main(["placement", "accuracy", *where, "--sides", "224", "--qualities", "90", "--limit", "3"]) == 0
    text = capsys.readouterr().out
    assert "224 px" in text
    assert "top-1 over the 1 whose class is known" in " ".join(text.split())
    assert bundles.load(own_bundle).variant("lite0").preprocessed == ()


@pytest.mark.parametrize(("options", "message"), [
    (["--sides", "128", "--write"], "--write needs 224 among --sides"),
    (["--qualities", ",".join(map(str, range(1, 18))), "--write"], "at most 16 qualities, got 17"),
    (["--variant", "huge"], "no variant 'huge'; there are lite0"),
    (["--limit", "0"], "--limit must be at least 1"),
    (["--sides", "0"], "from 1 to 4096"),
])  # fmt: skip
def test_what_cannot_work_is_told_at_once(own_bundle, images, capsys, options, message):
    assert main(["placement", "accuracy", "--images", str(images), "--bundle", str(own_bundle), *options]) == 1
    assert message in capsys.readouterr().err


def test_numbers_that_are_none(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["placement", "accuracy", "--images", "x", "--sides", "128,large"])
    assert caught.value.code == 2
    assert "needs whole numbers with commas between, got '128,large'" in capsys.readouterr().err


@pytest.mark.parametrize("known", [True, False])
def test_the_picture(known):
    top1 = 0.7 if known else None
    rows = tuple(AccuracyRow(s, q, top1, top1, q / 100, s * q, 9) for s in (128, 224) for q in (50, 90))
    png = draw(Measurement(InCloud(top1, 1e5, 9, 9 if known else 0), rows, ()), "title")
    width, height = Image.open(io.BytesIO(png)).size
    assert (width > 2 * height) is known


def test_from_photos_to_a_decision(own_bundle, images, make_config):
    """Measured, written, told by the catalog, and obeyed by the client."""
    config = make_config(own_bundle)

    def routes(floor):
        pipeline = Pipeline.load(config)
        report = json.loads(json.dumps(pipeline.describe()))
        pipeline.close()

        class Told:
            def send(self, method, path, headers, body, *, idempotent=True):
                from midspan_client import Reply

                return Reply(200, {}, json.dumps(report).encode())

            def close(self):
                pass

        objective = Objective("bytes", min_accuracy=floor)
        with Client("http://x", server="torchserve", transport=Told(), objective=objective,
                    providers=[ResizedProvider(PillowEngine())]) as client:  # fmt: skip
            return client.explain(photos_of_foolbox(1)[0]).routes

    assert [route.codec for route in routes(0.5)] == ["jpeg90"]
    main(["placement", "accuracy", "--images", str(images), "--bundle", str(own_bundle), "--sides", "224",
          "--qualities", "30,90", "--write"])  # fmt: skip
    measured = bundles.load(own_bundle).variant("lite0")
    offered = {route.codec: route for route in routes(0.5)}
    assert set(offered) == {"jpeg30", "jpeg90"}
    for row in measured.preprocessed:
        route = offered[f"jpeg{row.quality}"]
        lost = max(row.top1_in_cloud - row.top1, 0)
        assert route.accuracy == pytest.approx(measured.accuracy.top1 - lost)
        assert route.bytes_up == round(row.bytes_mean)


def test_directories_with_and_without_labels(images):
    found = find_photos(images)
    assert [photo.path for photo in found] == sorted(images.iterdir())
    assert all(photo.path.stem.endswith(f"_{photo.class_index}") for photo in found)
    (images / "holiday.JPG").write_bytes(b"x")
    (images / "notes.txt").write_bytes(b"x")
    assert find_photos(images)[0] == PhotoFile(images / "holiday.JPG", None)
    assert len(find_photos(images, 2)) == 2
    (images / "labels.csv").write_text("file,class_index\nholiday.JPG,3\n")
    assert find_photos(images) == [PhotoFile(images / "holiday.JPG", 3)]


def test_directories_without_photos(tmp_path):
    with pytest.raises(ConfigError, match="there are no photos in"):
        find_photos(tmp_path)
    with pytest.raises(ConfigError, match="cannot read"):
        find_photos(tmp_path / "none")
