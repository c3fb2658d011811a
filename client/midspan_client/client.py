"""The client: one photo in, one answer out, by the route that serves the objective best."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from midspan.routing.chooser import Choice
from midspan.routing.objective import Objective
from midspan.routing.route import Route
from midspan.wire import PARAMETER_CONTROL
from midspan_client import providers as provider_group
from midspan_client.answer import Answer
from midspan_client.catalog import QUALITY, Catalog
from midspan_client.catalogs import CatalogKeeper
from midspan_client.decider import Decider, Decision
from midspan_client.errors import (
    MidspanClientError,
    NetworkError,
    ServerError,
    UnavailableError,
    UsageError,
    WrongServerError,
)
from midspan_client.learning import Memory, Place
from midspan_client.photo import Photo
from midspan_client.provider import RouteProvider
from midspan_client.providers.original import OriginalProvider
from midspan_client.recorder import Recorder, Task
from midspan_client.retry import Retry
from midspan_client.session import RequestSession
from midspan_client.store import Store
from midspan_client.transport import Transport
from midspan_client.url import Endpoint
from midspan_client.wires import Server, open_wire

__all__ = ["Client"]

MAX_TOP_K = 1000
MAX_NAME = 100
_PLAIN = OriginalProvider()
_logger = logging.getLogger("midspan_client")


class Client:
    """Asks one server about photos, from as many threads as you like. Close it, or use it in a ``with`` statement.

    Args:
        url: http://, https://, grpc:// or grpcs://, host and port.
        server: what answers there: "triton" or "torchserve".
        objective: what to choose routes by.
        network: name of the network in use: an SSID, a cell, or "unknown"; every name has a link model of its own.
            May be set later.
        device: a label of this device, for logs of several.
        store: sqlite file for learned models and the log of decisions; None keeps both in memory.
        token: goes as ``Authorization: Bearer`` with every request.
        ca_file: for https: whom to trust instead of the system's authorities, as PEM.
        timeout_s: bounds connecting, and then each exchange.
        retries: how often to try again after a broken connection, status 503, or a dead worker; see `Retry`.
        transport: "http" (default), "grpc", or your own object with `send` and `close`.
        providers: the route providers; None takes all that are installed.
        clock: monotonic seconds.
        rng: for the jitter of retries.

    Raises UsageError for arguments that cannot work. Nothing is sent before the first request.

    """

    def __init__(
        self,
        url: str,
        *,
        server: Server = "triton",
        objective: Objective | None = None,
        network: str = "unknown",
        device: str = "",
        store: str | os.PathLike[str] | None = None,
        token: str | None = None,
        ca_file: str | None = None,
        timeout_s: float = 10.0,
        retries: int = 3,
        transport: Transport | Literal["http", "grpc"] | None = None,
        providers: Sequence[RouteProvider] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        rng: random.Random | None = None,
    ) -> None:
        self._endpoint = Endpoint.parse(url)
        self._server = server
        self.objective = objective or Objective()
        if not 0 < timeout_s < 1e6:
            raise UsageError(f"timeout_s must be above 0, got {timeout_s!r}")
        if not isinstance(retries, int) or not 0 <= retries <= 100:
            raise UsageError(f"retries must be between 0 and 100, got {retries!r}")
        self._retry = Retry(retries, rng=rng or random.Random())  # noqa: S311  # jitter, no secret
        self._clock = clock
        self._wire = open_wire(
            self._endpoint, server, transport=transport, token=token, ca_file=ca_file, timeout_s=timeout_s
        )
        found, self._problems = _providers(providers)
        network, device = _name(network, "network"), _name(device, "device") if device != "" else ""
        self._lock = threading.Lock()
        self._store = Store(Path(store) if store is not None else None, str(self._endpoint), clock)
        self._memory = Memory(self._store, network)
        self._decider = Decider(found, self._memory)
        self._recorder = Recorder(
            self._memory, self._decider, self._store, self._lock, origin=str(self._endpoint), device=device
        )
        self._catalogs = CatalogKeeper(self._fetch_catalog, clock)
        self._closed = False

    def __repr__(self) -> str:
        return f"Client({str(self._endpoint)!r}, server={self._server!r}, objective={self.objective})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def network(self) -> str:
        """The network in use. Set it when the device changes networks, also while requests are under way."""
        return self._memory.network

    @network.setter
    def network(self, name: str) -> None:
        with self._lock:
            self._memory.move(_name(name, "network"))

    def classify(
        self, photo: bytes | str | os.PathLike[str] | Photo, *, variant: str | None = None, top_k: int = 5
    ) -> Answer:
        """What is on the photo, by the best route.

        Args:
            photo: an encoded image (JPEG, PNG, WebP), or the path of one.
            variant: the model variant to ask; None leaves it to the objective, which picks among all variants if it
                speaks of accuracy, and else takes the server's default.
            top_k: how many predictions, 1 to 1000.

        If the chosen route fails for another reason than the network, the photo is sent as it is (`Answer.degraded`
        says why); if that fails too, the error comes through. Raises a MidspanClientError.

        """
        taken = self._checked(photo)
        variant = None if variant is None else _name(variant, "variant")
        if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= MAX_TOP_K:
            raise UsageError(f"top_k must be between 1 and {MAX_TOP_K}, got {top_k!r}")
        catalog, degraded = self._open_to_choice(variant)
        place, began_s = self._memory.place, self._clock()
        decision = self._decide(taken, catalog, place, began_s) if catalog is not None else Decision(None, ())
        task = Task(taken, place, began_s, decision)
        if decision.choice is None:
            if catalog is not None:
                _check_limits(taken, catalog)
                degraded = "no provider offers a route for this photo"
            return self._plain(task, variant, top_k, degraded)
        route = decision.choice.route
        session = self._session(route.variant, top_k)
        try:
            answer = self._decider.provider(route).execute(route, taken, session)
        except Exception as error:  # a provider is a stranger's code and can raise anything
            if self._is_final(error, route):
                self._recorder.failed(task, session)
                raise
            degraded = f"route {route.name!r} failed: {type(error).__name__}: {error}"[:500]
            _logger.warning("%s; sending the photo as it is", degraded)
            return self._plain(task, variant, top_k, degraded)
        return self._recorder.answered(task, route, session, answer, "")

    def explain(self, photo: bytes | str | os.PathLike[str] | Photo, *, variant: str | None = None) -> Choice:
        """The routes that `classify` would choose from now, with their predicted costs. Sends no photo.

        Raises a MidspanClientError if the catalog cannot be fetched or nobody offers a route.
        """
        taken = self._checked(photo)
        wanted = self._narrowed(self._catalogs.current(), variant)
        if wanted is None:
            raise UsageError(f"the server has no variant {variant!r}")
        choice = self._decide(taken, wanted, self._memory.place, self._clock()).choice
        if choice is None:
            _check_limits(taken, wanted)
            raise UsageError("no provider offers a route for this photo")
        return choice

    def catalog(self) -> Catalog:
        """What the server offers, a few minutes old at most. Raises a MidspanClientError."""
        self._check_open()
        return self._catalogs.current()

    def close(self) -> None:
        """Save what was learned and drop all connections. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._store.close()
        self._wire.close()

    def _fetch_catalog(self) -> Mapping[str, Any]:
        # One zero byte, as Triton takes no empty ragged input.
        report, _ = self._wire.exchange(b"\0", {PARAMETER_CONTROL: "catalog"})
        return report

    def _open_to_choice(self, variant: str | None) -> tuple[Catalog | None, str]:
        """The catalog of the variants that may be chosen, or None and why there is none."""
        try:
            catalog = self._narrowed(self._catalogs.current(), variant)
            if catalog is None:  # new on the server, perhaps
                self._catalogs.doubt()
                catalog = self._narrowed(self._catalogs.current(), variant)
        except WrongServerError:
            raise  # no photo for a stranger
        except MidspanClientError as error:
            return None, f"no catalog: {error}"[:500]
        return catalog, "" if catalog is not None else f"the catalog has no variant {variant!r}"

    def _narrowed(self, catalog: Catalog, variant: str | None) -> Catalog | None:
        # Least time or fewest bytes over all variants and qualities would always take the smallest, and nobody asked.
        accurate = self.objective.goal == "accuracy" or self.objective.min_accuracy is not None
        if variant is None and accurate:
            return catalog
        named = catalog.default if variant is None else variant
        return self._catalogs.only(catalog, named, None if accurate else QUALITY)

    def _decide(self, photo: Photo, catalog: Catalog, place: Place, at_s: float) -> Decision:
        with self._lock:
            decision = self._decider.decide(photo, catalog, self.objective, place, at_s)
        return replace(decision, warnings=self._problems + decision.warnings) if self._problems else decision

    def _is_final(self, error: Exception, route: Route) -> bool:
        """Whether sending the photo as it is would fail as well, or was what failed."""
        if isinstance(error, ServerError) and error.code == "unknown_variant":
            self._catalogs.doubt()
        elif route.provider == _PLAIN.name:
            return isinstance(error, MidspanClientError)
        return isinstance(error, NetworkError | UnavailableError) or (
            isinstance(error, ServerError) and error.status in (401, 403)
        )

    def _plain(self, task: Task, variant: str | None, top_k: int, degraded: str) -> Answer:
        photo = task.photo
        with self._lock:
            send_s = self._memory.link(task.place).forecast(task.began_s).transfer_s(len(photo.data))
        route = Route(_PLAIN.name, _PLAIN.name, variant or "", len(photo.data), 0.0, send_s, 0.0)
        session = self._session(route.variant, top_k)
        answer = _PLAIN.execute(route, photo, session)
        return self._recorder.answered(task, route, session, answer, degraded)

    def _session(self, variant: str, top_k: int) -> RequestSession:
        return RequestSession(self._wire, self._retry, self._clock, variant=variant, top_k=top_k)

    def _checked(self, photo: bytes | str | os.PathLike[str] | Photo) -> Photo:
        self._check_open()
        return Photo.of(photo)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the client is closed")


def _providers(given: Sequence[RouteProvider] | None) -> tuple[list[RouteProvider], tuple[str, ...]]:
    if given is not None:
        names = [provider.name for provider in given]
        if len(set(names)) != len(names):
            raise UsageError(f"two providers have the same name: {', '.join(names)}")
        return list(given), ()
    found, problems = provider_group.load(provider_group.find())
    for problem in problems:
        _logger.warning("%s", problem)
    return found, tuple(problems)


def _name(value: str, what: str) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or not value.isprintable():
        raise UsageError(f"{what} must be printable text of 1 to {MAX_NAME} characters, got {value!r}"[:200])
    return value


def _check_limits(photo: Photo, catalog: Catalog) -> None:
    """A photo that no route makes fit is not sent just to be refused. Raises UsageError."""
    size, pixels = len(photo.data), round(photo.megapixels * 1e6)
    if catalog.max_payload_bytes is not None and size > catalog.max_payload_bytes:
        raise UsageError(f"the photo has {size} bytes; the server takes at most {catalog.max_payload_bytes}")
    if catalog.max_pixels is not None and pixels > catalog.max_pixels:
        raise UsageError(f"the photo has {pixels} pixels; the server takes at most {catalog.max_pixels}")
