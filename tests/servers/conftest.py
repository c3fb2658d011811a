"""What the tests of real servers share: an HTTP client that is not the SDK, photos, and servers that fail on demand."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from midspan import bundle as bundles
from midspan.bundle import Family
from midspan.config import Config
from midspan.deploy.local import LocalServer
from midspan.hoststore import HostStore
from midspan.routing.route import Route
from midspan_client import Client
from midspan_client.answer import ServerAnswer
from midspan_client.photo import Photo
from midspan_client.provider import Session
from midspan_client.providers.original import OriginalProvider
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


class Slowly(OriginalProvider):
    """Sends the photo as it is, and asks the plug-in `faulty` to hold it for a while."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def execute(self, route: Route, photo: Photo, session: Session) -> ServerAnswer:
        return session.infer(photo.data, photo.header.content_type, {"delay_s": self.delay_s})


@pytest.fixture
def slow_client() -> Callable[[LocalServer, float], Client]:
    """A client of the SDK each of whose requests a server with the plug-in `faulty` holds for a while."""

    def make(server: LocalServer, delay_s: float) -> Client:
        return Client(server.url, server=server.kind, providers=[Slowly(delay_s)])

    return make


@pytest.fixture
def busy_worker() -> Callable[[LocalServer], int]:
    """Waits until a worker has a request in its hands; returns that worker's process id."""

    def find(server: LocalServer) -> int:
        store = HostStore(server.config.host.store)
        deadline = time.monotonic() + 20
        try:
            while time.monotonic() < deadline:
                for name, count in store.counts("faulty.busy.").items():
                    if count > 0:
                        return int(name.rpartition(".")[2])
                time.sleep(0.01)
        finally:
            store.close()
        raise TimeoutError("no worker got a request")

    return find
