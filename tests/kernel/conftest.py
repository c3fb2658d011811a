from __future__ import annotations

import hashlib
import importlib.util
import itertools
import sys
from pathlib import Path

import pytest

from midspan import bundle as bundles
from midspan.bundle import Accuracy, Block, Family, Preprocessing, Variant
from midspan.hoststore import HostStore
from midspan.pipeline import Pipeline

# Shared helpers without making tests a package.
spec = importlib.util.spec_from_file_location("kernel_plugins", Path(__file__).with_name("plugins.py"))
assert spec
assert spec.loader
module = importlib.util.module_from_spec(spec)
sys.modules["kernel_plugins"] = module
spec.loader.exec_module(module)


@pytest.fixture
def tiny_bundle(tmp_path):
    """A bundle of two variants with four classes whose graphs nobody runs."""
    directory = tmp_path / "bundle"
    directory.mkdir()
    variants = []
    for name in ("small", "large"):
        graph = f"{name}.onnx"
        (directory / graph).write_bytes(name.encode())
        variants.append(
            Variant(
                name=name,
                graph=graph,
                sha256=hashlib.sha256(name.encode()).hexdigest(),
                input_name="input",
                output_name="scores",
                classes=4,
                preprocessing=Preprocessing(8, 9, (127.0,) * 3, (128.0,) * 3),
                blocks=(Block("stem", "t1", (4, 4), 100), Block("head", "scores", (4,), 10)),
                macs=1000,
                graph_bytes=len(name),
                accuracy=Accuracy(0.5, "nothing", "guessed"),
                path=directory / graph,
            )
        )
    family = Family("tiny", "small", ("a", "b", "c", "d"), tuple(variants), b"\x89PNG")
    bundles.save(family, directory)
    return directory


@pytest.fixture
def make_pipeline(tiny_bundle, tmp_path):
    """Make pipelines over test plug-ins: `make_pipeline(engine=Engine, …)`; they are closed in the end."""
    made = []
    numbers = itertools.count()

    def make(*, clock=None, options=None, server=None, **factories):
        import dataclasses

        from kernel_plugins import config_for, finder

        from midspan.config import HostConfig

        config = config_for(tiny_bundle, *factories, options=options, **(server or {}))
        config = dataclasses.replace(config, host=HostConfig(tmp_path / f"host{next(numbers)}.sqlite"))
        pipeline = Pipeline.load(config, find=finder(**factories), **({"clock": clock} if clock else {}))
        made.append(pipeline)
        return pipeline

    yield make
    for pipeline in made:
        pipeline.close()


@pytest.fixture
def host_store(tmp_path):
    store = HostStore(tmp_path / "store.sqlite", flush_s=0)
    yield store
    store.close()
