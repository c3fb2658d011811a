"""Real clients, a real server, emulated links and devices: every policy on every photo, one after the other.

::

    photo ─┬─ local ──────────▶ a client with a slow engine ─┐
           ├─ remote ─────────▶ another ─────────────────────┤
           ├─ pieslicer … ────▶ another ─────────────────────┼─▶ one emulated link ─▶ one real server
           └─ ours ───────────▶ another ─────────────────────┘
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, get_args

from midspan.emulator import LinkEmulator
from midspan.workbench.photos import LabelledPhoto
from midspan.workbench.placement.live_clients import STATIC, LiveCell, SteeredClient, open_clients
from midspan.workbench.placement.request import Choice
from midspan_client import Answer, Catalog, Client, MidspanClientError, Photo, VariantInfo
from midspan_client.providers.resized import ResizedProvider
from midspan_client.wires import Server

__all__ = ["MAX_FAILURES", "LivePlan", "LiveRequest", "LiveRun", "in_turns", "run_cell"]

T = TypeVar("T")

MAX_FAILURES: Final = 5
CHOICES: Final = MappingProxyType[str, Choice]({"original": "remote", "resized": "local"})
"""What the client's two routes are in the paper's words."""


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What is the same in all cells.

    Attributes:
        server: what runs at `host` and `port`.
        host: where.
        port: where.
        photos: in the order in which they are sent.
        learn: so many of them come first and do not count: there, all policies that learn take the same random choices.
        seed: of these choices, and of the links' jitter.
        store_dir: where each client keeps its store; None keeps none.

    """

    server: Server
    host: str
    port: int
    photos: Sequence[LabelledPhoto]
    learn: int
    seed: int
    store_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """One photo by one policy. `number` counts the cell's photos; `top_class` is the most likely class, if any."""

    device: str
    link: str
    policy: str
    number: int
    photo: str
    photo_bytes: int
    choice: Choice
    predicted_s: float
    total_s: float
    bytes_up: int
    top_class: int | None


@dataclass(slots=True)
class LiveRun:
    """What one cell gave: the requests that count, and a line for each that failed, also among those that do not."""

    cell: LiveCell
    requests: list[LiveRequest] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def given_up(self) -> bool:
        """Whether too many requests failed to go on."""
        return len(self.failures) >= MAX_FAILURES


def run_cell(plan: LivePlan, cell: LiveCell, report: Callable[[str], None] = lambda words: None) -> LiveRun:
    """Send every photo by every policy, in turns; `report` hears of each photo that all have sent.

    A request fails where there is no answer, or one by another route than was chosen; after `MAX_FAILURES` the cell
    ends. Raises a MidspanClientError where not even the server's catalog can be had.
    """
    run = LiveRun(cell)
    variant = _default_variant(plan)
    forced = _learning_choices(plan, variant)
    with ExitStack() as stack:
        rng = random.Random(plan.seed)  # noqa: S311 - jitter is no secret
        link = stack.enter_context(LinkEmulator(plan.host, plan.port, cell.link, rng=rng))
        url = f"http://127.0.0.1:{link.port}"
        clients = open_clients(stack, url, plan.server, cell, variant, plan.store_dir)
        for one in clients:
            one.client.catalog()  # and the connection is open
        for number, photo in enumerate(plan.photos):
            learning = number < len(forced)
            for one in in_turns(clients, number):
                if learning and one.policy in STATIC:
                    continue  # they have nothing to learn
                one.steering.forced = forced[number] if learning else None
                _send(run, one, number, photo, counts=not learning)
                if run.given_up:
                    return run
            report(f"{cell.device} over {cell.link.name}{', learning' if learning else ''}")
    return run


def in_turns(items: Sequence[T], number: int) -> list[T]:
    """All of them, each one first in its turn, so that whatever drifts burdens all alike."""
    at = number % len(items)
    return [*items[at:], *items[:at]]


def _send(run: LiveRun, one: SteeredClient, number: int, photo: LabelledPhoto, *, counts: bool) -> None:
    cell = run.cell
    try:
        answer = one.client.classify(photo.data)
        problem = answer.degraded or "; ".join(answer.warnings)
    except MidspanClientError as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        run.failures.append(f"{cell.device} over {cell.link.name}, {one.policy}, photo {photo.name}: {problem}"[:500])
    elif counts:
        run.requests.append(_request(cell, one.policy, number, photo, answer))


def _request(cell: LiveCell, policy: str, number: int, photo: LabelledPhoto, answer: Answer) -> LiveRequest:
    return LiveRequest(
        device=cell.device,
        link=cell.link.name,
        policy=policy,
        number=number,
        photo=photo.name,
        photo_bytes=len(photo.data),
        choice=CHOICES[answer.route.name],
        predicted_s=answer.predicted.total_s,
        total_s=answer.total_s,
        bytes_up=answer.bytes_up,
        top_class=answer.predictions[0].index if answer.predictions else None,
    )


def _default_variant(plan: LivePlan) -> VariantInfo:
    with Client(f"http://{plan.host}:{plan.port}", server=plan.server) as client:
        catalog = client.catalog()
    return next(variant for variant in catalog.variants if variant.name == catalog.default)


def _learning_choices(plan: LivePlan, variant: VariantInfo) -> list[Choice]:
    """Random, but "remote" for photos for which the client would not even think of the other."""
    rng = random.Random(plan.seed)  # noqa: S311 - choices that can be repeated, no secret
    drawn: list[Choice] = rng.choices(get_args(Choice), k=min(plan.learn, len(plan.photos)))
    catalog, provider = Catalog((variant,), variant.name), ResizedProvider()
    return [
        choice if any(provider.enumerate(Photo(photo.data), catalog)) else "remote"
        for choice, photo in zip(drawn, plan.photos, strict=False)
    ]
