"""What tests share: bundles, and real servers, started once and stopped wholly."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from midspan import bundle as bundles
from midspan.config import Config
from midspan.deploy.local import LocalServer
from midspan.deploy.ports import free_ports

ROOT = Path(__file__).parents[1]

StartServer = Callable[..., LocalServer]


def pytest_configure() -> None:
    # who cancels a run sends SIGTERM: the servers must end then, too
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle of EfficientNet-Lite0, 1 and 2; made once, which takes a minute."""
    from midspan.zoo.build import build_bundle

    directory = ROOT / "bundles/efficientnet-lite"
    build_bundle(directory)
    return directory


@pytest.fixture(scope="session")
def small_bundle(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with Lite0 alone, which a worker loads sooner."""
    directory = tmp_path_factory.mktemp("bundle") / "lite0"
    directory.mkdir()
    family = bundles.load(bundle)
    variant = family.variant("lite0")
    (directory / variant.graph).symlink_to(bundle / variant.graph)
    bundles.save(replace(family, default="lite0", variants=(variant,)), directory)
    return directory


@pytest.fixture(scope="session")
def make_config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Config]:
    """A factory of configurations with free ports and a store of their own.

    `make_config(bundle, server={"workers": 1}, plugins={"enabled": [...]})`: tables override, entry by entry, what is
    the default here.
    """

    def make(bundle: Path, **tables: dict[str, Any]) -> Config:
        defaults: dict[str, dict[str, Any]] = {
            "plugins": {"enabled": ["preprocess", "onnxruntime"]},
            "family": {"bundle": str(bundle)},
            "server": free_ports(),
            "host": {"store": str(tmp_path_factory.mktemp("store") / "host.sqlite")},
        }
        return Config.from_tables({name: {**table, **tables.get(name, {})} for name, table in defaults.items()})

    return make


@pytest.fixture(scope="session")
def triton(bundle: Path, make_config: Callable[..., Config]) -> Iterator[LocalServer]:
    """A real Triton with two workers, for the whole session. Do not stop it, and kill nothing of it."""
    with LocalServer("triton", make_config(bundle)) as server:
        yield server


@pytest.fixture(scope="session")
def torchserve(bundle: Path, make_config: Callable[..., Config]) -> Iterator[LocalServer]:
    """A real TorchServe with two workers, for the whole session. Do not stop it, and kill nothing of it."""
    with LocalServer("torchserve", make_config(bundle)) as server:
        yield server


@pytest.fixture(scope="session")
def torchserve_with_token(small_bundle: Path, make_config: Callable[..., Config]) -> Iterator[LocalServer]:
    """A real TorchServe that asks for a token, which is `server.token`."""
    config = make_config(small_bundle, server={"token_authorization": True, "workers": 1})
    with LocalServer("torchserve", config) as server:
        yield server


@pytest.fixture(params=["triton", "torchserve"])
def server(request: pytest.FixtureRequest) -> LocalServer:
    """Each of the two real servers of the session in turn."""
    running: LocalServer = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def start_server(small_bundle: Path, make_config: Callable[..., Config]) -> Iterator[StartServer]:
    """A factory of servers for one test alone, with Lite0: `start_server("triton", server={"workers": 1})`.

    Tables override the configuration as in `make_config`; `watched=True` starts the watchdog too.
    """
    with ExitStack() as stack:

        def start(kind: str, *, bundle: Path = small_bundle, watched: bool = False, **tables: Any) -> LocalServer:
            server = stack.enter_context(LocalServer(kind, make_config(bundle, **tables)))
            stack.callback(server.kill)  # a clean stop has tests of its own, and takes seconds
            if watched:
                server.watch()
            return server

        yield start
