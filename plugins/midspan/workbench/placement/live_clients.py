"""One real client for each policy of a live run, each with a device and a memory of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from midspan.emulator import LinkProfile, LinkTrace
from midspan.workbench.placement.cells import Constants
from midspan.workbench.placement.live_device import StretchedEngine
from midspan.workbench.placement.live_steering import Steering, steered_providers
from midspan.workbench.placement.pieslicer import PieSlicer
from midspan.workbench.placement.policies import LOCAL, OURS, PIESLICERS, REMOTE, Policy, Static
from midspan.workbench.unchecked import UncheckedResizedProvider
from midspan_client import Client, VariantInfo
from midspan_client.catalog import QUALITY
from midspan_client.engine import PillowEngine
from midspan_client.providers.encodings import encodings
from midspan_client.providers.resized import BYTES_PER_PIXEL, ResizedProvider
from midspan_client.wires import Server

__all__ = ["POLICIES", "STATIC", "LiveCell", "SteeredClient", "open_clients"]

STATIC: Final = (LOCAL, REMOTE)
POLICIES: Final = (*STATIC, *PIESLICERS, OURS)
TIMEOUT_S: Final = 120.0
"""Per exchange: a megabyte over a 3G link takes ten seconds."""
ALPHA: Final = 0.5
"""PieSlicer, section 6.4."""


@dataclass(frozen=True, slots=True)
class LiveCell:
    """One device on one link. `factor` is how many times as long as this machine the device takes."""

    device: str
    factor: float
    link: LinkProfile | LinkTrace


@dataclass(frozen=True, slots=True)
class SteeredClient:
    """A client that follows one policy."""

    policy: str
    client: Client
    steering: Steering


def open_clients(
    stack: ExitStack, url: str, server: Server, cell: LiveCell, variant: VariantInfo, store_dir: Path | None
) -> list[SteeredClient]:
    """One client for each policy, in the order of `POLICIES`; the stack closes them.

    All have the same routes, but for one thing: what never changes and what checks for itself can resize any photo;
    `ours` has the client's own two checks before it. A failed exchange is not tried again: a second attempt would count
    the pause before it. With `store_dir`, each keeps its store there, as DEVICE-LINK-POLICY.sqlite.
    """
    began_s = time.perf_counter()
    clients = []
    for policy in POLICIES:
        steering = Steering(_policy(policy, variant), lambda: time.perf_counter() - began_s)
        engine = StretchedEngine(PillowEngine(), cell.factor)
        resized = ResizedProvider(engine) if policy == OURS else UncheckedResizedProvider(engine)
        client = Client(
            url,
            server=server,
            network=cell.link.name,
            device=cell.device,
            store=None if store_dir is None else store_dir / f"{cell.device}-{cell.link.name}-{policy}.sqlite",
            timeout_s=TIMEOUT_S,
            retries=0,
            providers=steered_providers(steering, resized),
        )
        clients.append(SteeredClient(policy, stack.enter_context(client), steering))
    return clients


def _policy(name: str, variant: VariantInfo) -> Policy | None:
    """None where the client itself chooses."""
    makers: dict[str, Callable[[], Policy | None]] = {
        LOCAL: lambda: Static("local"),
        REMOTE: lambda: Static("remote"),
        PIESLICERS[0]: lambda: PieSlicer(_constants(variant)),
        PIESLICERS[1]: lambda: PieSlicer(_constants(variant), delta=False),
        PIESLICERS[2]: lambda: PieSlicer(_constants(variant), checks=False),
        OURS: lambda: None,
    }
    return makers[name]()


def _constants(variant: VariantInfo) -> Constants:
    """PieSlicer's, for this variant: the published ones are of pictures of 331 pixels and 53 kB."""
    sizes = [encoding.bytes_mean for encoding in encodings(variant) if encoding.quality == QUALITY]
    sent_bytes = round((sizes and sizes[0]) or BYTES_PER_PIXEL * variant.side_px**2)
    return Constants(sent_bytes, variant.side_px, ALPHA, sent_bytes)
