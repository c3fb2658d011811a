"""`midspan link`: an emulated link in front of a server, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from midspan.emulator import PROFILES, LinkEmulator, LinkProfile, LinkTrace, named_profile, read_trace
from midspan.errors import ConfigError


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    link = commands.add_parser("link", help="put an emulated mobile link in front of a server")
    kind = link.add_mutually_exclusive_group(required=True)
    kind.add_argument("--profile", choices=list(PROFILES), help="a typical link")
    kind.add_argument("--trace", type=Path, metavar="FILE", help="CSV: duration_ms,mbps,latency_ms (latency one way)")
    link.add_argument("--delay-ms", type=float, default=0.0, help="one way, where the trace says none (default: 0)")
    link.add_argument("--target", required=True, metavar="HOST:PORT", help="the server")
    link.add_argument(
        "--port", type=int, default=0, help="where devices connect to, on 127.0.0.1 (default: a free one)"
    )
    link.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it until SIGINT or SIGTERM, then say how much went through."""
    host, port = parse_target(args.target)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with LinkEmulator(host, port, _link(args), port=args.port) as link:
        print(
            f"midspan link: 127.0.0.1:{link.port} -> {args.target}, {describe(link.profile)}; Ctrl-C ends it",
            flush=True,
        )
        over.wait()
        print(f"midspan link: {link.bytes_up} bytes up, {link.bytes_down} bytes down", file=sys.stderr)
    return 0


def parse_target(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; an IPv6 address stands in brackets. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and host.isascii() and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ConfigError(f"--target must be HOST:PORT, got {text[:100]!r}")
    return host, int(port)


def describe(profile: LinkProfile | LinkTrace) -> str:
    """One line for people."""
    if isinstance(profile, LinkTrace):
        minutes = sum(step.duration_ms for step in profile.up) / 60_000
        return f"trace {profile.name} ({len(profile.up)} steps, {minutes:.1f} min, over and over)"
    return (
        f"{profile.name}: {profile.up_mbps:g} Mbit/s up, {profile.down_mbps:g} down, "
        f"{profile.delay_ms:g} ± {profile.jitter_ms:g} ms each way"
    )


def _link(args: argparse.Namespace) -> LinkProfile | LinkTrace:
    if args.trace is not None:
        return read_trace(args.trace, delay_ms=args.delay_ms)
    return named_profile(args.profile)
