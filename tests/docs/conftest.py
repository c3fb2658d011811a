"""A checkout to run documents in, so that nothing they write lands in the real one."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx.parser
import pytest

ROOT = Path(__file__).parents[2]

CLASSIFIER = """
<ir_version: 8, opset_import: ["": 17]>
own_classifier (float[n, 3, 8, 8] image) => (float[n, 3] scores) {
    means = GlobalAveragePool(image)
    scores = Flatten(means)
}
"""

# Shared helpers without making tests a package.
spec = importlib.util.spec_from_file_location("documents", Path(__file__).with_name("documents.py"))
assert spec
assert spec.loader
module = importlib.util.module_from_spec(spec)
sys.modules["documents"] = module
spec.loader.exec_module(module)


def link_all(source: Path, target: Path) -> None:
    """Make `target` a directory of links to all that is in `source`."""
    target.mkdir(parents=True)
    for entry in source.iterdir():
        (target / entry.name).symlink_to(entry)


def photos_of_foolbox() -> list[Path]:
    """20 photos, named after their class; found without importing foolbox, which takes seconds."""
    found = importlib.util.find_spec("foolbox")
    assert found
    assert found.submodule_search_locations
    return sorted(Path(found.submodule_search_locations[0]).glob("data/imagenet_*.jpg"))


@pytest.fixture
def checkout(bundle: Path) -> Iterator[Path]:
    """A directory that looks like a checkout with its bundle made, and what a user would bring along."""
    with tempfile.TemporaryDirectory(prefix="midspan-docs-") as name:  # short: it will hold sockets
        directory = Path(name)
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for entry in sorted({line.split("/", 1)[0] for line in tracked.splitlines()}):
            (directory / entry).symlink_to(ROOT / entry)
        (directory / "midspan.toml").unlink()
        shutil.copyfile(ROOT / "midspan.toml", directory / "midspan.toml")
        link_all(bundle, directory / "bundles" / bundle.name)
        link_all(Path(sys.prefix), directory / ".venv")
        (directory / ".venv/.ready").unlink(missing_ok=True)
        (directory / ".venv/.ready").touch()  # so that make finds the environment up to date
        photos = photos_of_foolbox()
        (directory / "photos").mkdir()
        for photo in photos:
            shutil.copyfile(photo, directory / "photos" / photo.name)
        shutil.copyfile(photos[0], directory / "photo.jpg")
        onnx.save(onnx.parser.parse_model(CLASSIFIER), directory / "model.onnx")
        (directory / "labels.txt").write_text("ant\nbee\ncat\n", "utf-8")
        (directory / ".home").mkdir()
        (directory / ".tmp").mkdir()
        yield directory


@pytest.fixture
def reader(checkout: Path) -> dict[str, str]:
    """The environment of somebody who follows a document."""
    return {
        **os.environ,
        "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "HOME": str(checkout / ".home"),
        "TMPDIR": str(checkout / ".tmp"),
        "COLUMNS": "120",
        # What is installed stays as it is: pip says what it would do, from what is there already.
        "PIP_DRY_RUN": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.fixture
def one_at_a_time() -> Iterator[None]:
    """Documents name fixed ports, so that two runs of these tests on one machine must take turns."""
    with (Path(tempfile.gettempdir()) / "midspan-docs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
