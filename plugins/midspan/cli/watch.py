"""`midspan watch`: the watchdog for a Triton that somebody else started."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command. It is for Triton alone, since TorchServe brings its workers back by itself."""
    parser = commands.add_parser("watch", help="bring dead workers of a running Triton back")
    parser.add_argument("--repository", metavar="DIR", required=True, help="what `midspan deploy triton` wrote")
    parser.add_argument("--config", metavar="FILE", default="midspan.toml", help="default: %(default)s")
    parser.add_argument("--url", help="default: http://HOST:PORT of the configuration")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look until Ctrl-C or SIGTERM; print what is found and done."""
    from midspan import bundle
    from midspan.config import Config
    from midspan.deploy.http import bracketed
    from midspan.deploy.ready import Probe
    from midspan.deploy.watchdog import Cure, Watchdog
    from midspan.deploy.workers import TritonWorkers

    config = Config.from_toml(args.config)
    url = args.url or f"http://{bracketed(config.server.host)}:{config.server.http_port}"
    workers = TritonWorkers(url.rstrip("/"), Path(args.repository), config.server.workers)
    dog = Watchdog(
        Probe("triton", url.rstrip("/"), bundle.load(config.family.bundle)),
        [Cure("reload the model", workers.reload)],
        signs=[workers.inspect],
        workers=config.server.workers,
        report=lambda text: print(text, flush=True),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(f"watching {url}, which is {dog.look().health.value}; Ctrl-C ends it", flush=True)
        dog.watch(threading.Event().wait)
    except KeyboardInterrupt:
        return 0
    return 0
