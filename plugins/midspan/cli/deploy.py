"""`midspan deploy`: write what a Triton or a TorchServe that is already there loads."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its two verbs."""
    parser = commands.add_parser("deploy", help="write what an existing Triton or TorchServe loads")
    verbs = parser.add_subparsers(metavar="SERVER", required=True)
    triton = verbs.add_parser("triton", help="write a model repository")
    triton.add_argument(
        "--python-env", metavar="DIR", help="virtual environment with midspan[server], of the stub's Python version"
    )
    triton.set_defaults(run=run_triton)
    torchserve = verbs.add_parser("torchserve", help="write a model store and config.properties")
    torchserve.set_defaults(run=run_torchserve)
    for verb in (triton, torchserve):
        verb.add_argument("--config", metavar="FILE", default="midspan.toml", help="default: %(default)s")
        verb.add_argument("--output", metavar="DIR", required=True, help="made if it is not there")


def run_triton(args: argparse.Namespace) -> int:
    """Write the model repository and print the command that serves it."""
    from midspan import bundle
    from midspan.config import Config
    from midspan.deploy import triton
    from midspan.errors import ConfigError

    config = Config.from_toml(args.config)
    bundle.load(config.family.bundle)
    python_env = Path(args.python_env) if args.python_env else None
    if python_env is not None and not (python_env / "bin/python3").exists():
        raise ConfigError(f"{python_env} is not a virtual environment: it has no bin/python3")
    repository = triton.write_repository(config, Path(args.output).absolute(), python_env)
    print(shlex.join(["tritonserver", *triton.server_options(config, repository)]))
    return 0


def run_torchserve(args: argparse.Namespace) -> int:
    """Write the model store and the properties, and print the command that serves them."""
    from midspan import bundle
    from midspan.config import Config
    from midspan.deploy import torchserve

    config = Config.from_toml(args.config)
    bundle.load(config.family.bundle)
    properties = torchserve.write_store(config, Path(args.output).absolute())
    command = ["torchserve", "--start", "--foreground", "--no-config-snapshots"]
    store = properties.parent / torchserve.STORE
    print(shlex.join([*command, "--ts-config", str(properties), "--model-store", str(store)]))
    return 0
