"""What the tests of real servers share: an HTTP client that is not the SDK, photos, and servers that fail on demand."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from midspan import bundle as bundles
from midspan.bundle import Family
from midspan.config import Config
from midspan.deploy.local import LocalServer
from midspan_conformance.exchange import Exchange
from midspan_conformance.host import HOSTS
from midspan_conformance.subject import Subject

FAULTY = {"enabled": ["faulty", "preprocess", "onnxruntime"]}
BALLOON = 417
BOTTLECAP = 455


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A labelled photo of ImageNet: a bottlecap."""
    spec = importlib.util.find_spec("foolbox")  # found, not imported: it warns of what it imports itself
    assert spec
    assert spec.origin
    return (Path(spec.origin).parent / "data/imagenet_09_455.jpg").read_bytes()


@pytest.fixture(scope="session")
def family(bundle: Path) -> Family:
    return bundles.load(bundle)


@pytest.fixture(scope="session")
def pictures(family: Family, photo: bytes) -> dict[int, bytes]:
    """The bundle's probe and a photo, by the index of their class."""
    return {BALLOON: family.probe, BOTTLECAP: photo}


@pytest.fixture(scope="session")
def subject_of(family: Family) -> Callable[[LocalServer], Subject]:
    """The conformance kit's plain HTTP client for a server; the bundle's probe is its good picture."""

    def make(server: LocalServer) -> Subject:
        exchange = Exchange(server.url, timeout_s=60, token=server.token)
        return Subject(HOSTS[server.kind](), exchange, family.probe, BALLOON)

    return make


@pytest.fixture(scope="session", params=["triton", "torchserve"])
def faulty_server(
    request: pytest.FixtureRequest, small_bundle: Path, make_config: Callable[..., Config]
) -> Iterator[LocalServer]:
    """Each real server with the plug-in that fails on demand. Do not stop it, and kill nothing of it."""
    with LocalServer(request.param, make_config(small_bundle, plugins=FAULTY)) as running:
        yield running


@pytest.fixture(scope="session")
def faulty(faulty_server: LocalServer, subject_of: Callable[[LocalServer], Subject]) -> Subject:
    return subject_of(faulty_server)


@pytest.fixture(scope="session", params=["triton", "torchserve"])
def slow_server(
    request: pytest.FixtureRequest, small_bundle: Path, make_config: Callable[..., Config]
) -> Iterator[LocalServer]:
    """Each real server with one worker that takes 200 ms for a request, and room for two that wait."""
    plugins = {**FAULTY, "faulty": {"delay_s": 0.2}}
    narrow = {"workers": 1, "max_batch_size": 1, "max_queue_size": 2}
    with LocalServer(request.param, make_config(small_bundle, plugins=plugins, server=narrow)) as running:
        yield running
