"""The demo's run: every photo over every link, by the client's own choice and by the two choices that never change."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from midspan.emulator import LinkEmulator, LinkProfile
from midspan.errors import UnavailableError
from midspan.workbench.photos import LabelledPhoto
from midspan.workbench.serving import warm_up
from midspan.workbench.unchecked import UncheckedResizedProvider
from midspan_client import Answer, Client
from midspan_client.providers.original import OriginalProvider

__all__ = ["CHOSEN", "POLICIES", "DemoRow", "DemoSummary", "run_demo", "summarise"]

CHOSEN: Final = "Midspan chooses"
POLICIES: Final = (CHOSEN, "always original", "always resized")
TIMEOUT_S: Final = 120.0
"""Per exchange: a megabyte over a 3G link takes ten seconds, and that is what the demo shows."""


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One request. `predicted_s` is what the client expected before it, `measured_s` what its caller waited."""

    link: str
    policy: str
    photo: str
    photo_bytes: int
    route: str
    predicted_s: float
    measured_s: float
    bytes_up: int
    label: str
    correct: bool


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """All requests of one policy over one link. `routes` counts them by route; `top1` is a fraction."""

    link: str
    policy: str
    routes: Mapping[str, int]
    predicted_median_s: float
    measured_median_s: float
    total_s: float
    bytes_up: int
    top1: float


def run_demo(
    server: Literal["triton", "torchserve"],
    host: str,
    port: int,
    photos: Sequence[LabelledPhoto],
    links: Sequence[LinkProfile],
    *,
    report: Callable[[DemoRow], None] = lambda row: None,
) -> list[DemoRow]:
    """Send each photo over each link by each policy, one after the other; `report` hears of each request.

    The server is warm before the first link. The choosing client starts without any knowledge, keeps what it learns of
    the device when the link changes, and learns from its own requests alone. The policies take turns photo by photo, so
    that whatever else the machine does falls on all alike. Raises a MidspanClientError, or UnavailableError where a
    route failed and the client stepped in with another: the first request that does not go as planned ends the demo.
    """
    rows: list[DemoRow] = []
    warm_up(server, f"http://{host}:{port}", photos[0].data)
    with ExitStack() as stack:
        link = stack.enter_context(LinkEmulator(host, port, links[0]))
        url = f"http://127.0.0.1:{link.port}"
        providers = {
            CHOSEN: None,
            "always original": [OriginalProvider()],
            "always resized": [UncheckedResizedProvider()],
        }
        clients = {
            policy: stack.enter_context(Client(url, server=server, providers=providers[policy], timeout_s=TIMEOUT_S))
            for policy in POLICIES
        }
        for profile in links:
            link.set_profile(profile)
            for photo in photos:
                for policy, client in clients.items():
                    client.network = profile.name
                    rows.append(_row(profile.name, policy, photo, client.classify(photo.data)))
                    report(rows[-1])
    return rows


def summarise(rows: Sequence[DemoRow]) -> list[DemoSummary]:
    """One summary for each link and policy, in the order in which they were run."""
    groups: dict[tuple[str, str], list[DemoRow]] = {}
    for row in rows:
        groups.setdefault((row.link, row.policy), []).append(row)
    return [_summary(link, policy, group) for (link, policy), group in groups.items()]


def _summary(link: str, policy: str, rows: Sequence[DemoRow]) -> DemoSummary:
    return DemoSummary(
        link=link,
        policy=policy,
        routes=MappingProxyType(dict(sorted(Counter(row.route for row in rows).items()))),
        predicted_median_s=statistics.median(row.predicted_s for row in rows),
        measured_median_s=statistics.median(row.measured_s for row in rows),
        total_s=sum(row.measured_s for row in rows),
        bytes_up=sum(row.bytes_up for row in rows),
        top1=sum(row.correct for row in rows) / len(rows),
    )


def _row(link: str, policy: str, photo: LabelledPhoto, answer: Answer) -> DemoRow:
    if answer.degraded:
        raise UnavailableError(f"photo {photo.name} over {link}, {policy}: {answer.degraded}")
    return DemoRow(
        link=link,
        policy=policy,
        photo=photo.name,
        photo_bytes=len(photo.data),
        route=answer.route.name,
        predicted_s=answer.predicted.total_s,
        measured_s=answer.total_s,
        bytes_up=answer.bytes_up,
        label=answer.label,
        correct=bool(answer.predictions) and answer.predictions[0].index == photo.class_index,
    )
