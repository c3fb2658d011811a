"""`midspan serve`: run a real Triton or TorchServe on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

FOLLOW_EVERY_S = 0.2


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="start a Triton or a TorchServe here and keep it alive")
    parser.add_argument("--server", choices=["triton", "torchserve"], default="triton", help="default: %(default)s")
    parser.add_argument("--config", metavar="FILE", default="midspan.toml", help="default: %(default)s")
    parser.add_argument("--no-watchdog", action="store_true", help="do not bring dead workers back")
    parser.add_argument("--log", metavar="FILE", help="keep the server's log in FILE, too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start, say so in one line when a real prediction is right, and stop everything on Ctrl-C or SIGTERM."""
    from midspan.config import Config
    from midspan.deploy.local import LocalServer
    from midspan.errors import UnavailableError

    config = Config.from_toml(args.config)
    log = Path(args.log) if args.log else None
    log_start = log.stat().st_size if log and log.exists() else 0
    server = LocalServer(args.server, config, log=log)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ended = threading.Event()
    _tell(f"starting {args.server} …")
    try:
        with server:
            print(f"{args.server} is ready at {server.url} (gRPC {server.grpc_url})", flush=True)
            threading.Thread(target=_follow, args=(server.log, log_start, ended), daemon=True).start()
            if not args.no_watchdog:
                server.watch(lambda text: _tell(f"watchdog: {text}"))
            while not ended.wait(FOLLOW_EVERY_S):
                if args.no_watchdog and not server.running:
                    raise UnavailableError(f"{args.server} ended by itself")
    except KeyboardInterrupt:
        _tell(f"{args.server} is stopped")
        return 0
    finally:
        ended.set()
    return 0


def _follow(log: Path, start: int, ended: threading.Event) -> None:
    with log.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(start)
        while not ended.wait(FOLLOW_EVERY_S):
            sys.stderr.write(lines.read())
            sys.stderr.flush()


def _tell(text: str) -> None:
    print(f"midspan: {text}", file=sys.stderr, flush=True)
