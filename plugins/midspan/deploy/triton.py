"""Triton: writes the model repository that it loads, and tells how to start it on this machine.

`tritonserver` comes from PATH or, in its absence, from the `nvidia-pytriton` wheel, which carries the server with its
Python backend. The backend's stub ignores PYTHONPATH and takes the first `python3` on PATH, so this interpreter's
directory goes to the front.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import string
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from midspan import wire
from midspan.config import Config
from midspan.deploy import assets
from midspan.deploy.http import bracketed
from midspan.deploy.launch import Launch
from midspan.errors import ConfigError

__all__ = [
    "ADMIN_HEADER",
    "REPOSITORY",
    "admin_key",
    "find_server",
    "launch",
    "model_file",
    "server_options",
    "write_repository",
]

REPOSITORY = "repository"
ADMIN_HEADER = "midspan-admin"
ADMIN_KEY_FILE = "admin.key"
EXIT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Installation:
    """A Triton. `backends` and `libraries` are empty where the server finds its own."""

    server: Path
    backends: Path | None = None
    stub: Path | None = None
    libraries: Path | None = None


def find_server() -> Installation:
    """The Triton on PATH, else the wheel's. Raises ConfigError."""
    on_path = shutil.which("tritonserver")
    if on_path:
        return Installation(Path(on_path))
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("there is no Triton: put tritonserver on PATH or install midspan[triton]")
    package = Path(spec.submodule_search_locations[0])
    root = package / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = root / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        raise ConfigError(f"the wheel nvidia-pytriton has no Triton stub for Python {version}")
    return Installation(root / "bin/tritonserver", root / "backends", stub, package.parent / "nvidia_pytriton.libs")


def write_repository(config: Config, directory: Path, python_env: Path | None = None) -> Path:
    """Write the model repository `directory`, ready for any Triton with a Python backend; returns `directory`.

    `python_env` is a virtual environment, of the stub's Python version, that holds midspan[server]; without it the
    stub takes the first `python3` on the server's PATH.
    """
    config = config.resolved(Path.cwd())  # the server runs somewhere else
    source, target = assets.model_directory(), directory / wire.MODEL_NAME
    (target / "1").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "1/model.py", model_file(directory))
    env = "" if python_env is None else _parameter("EXECUTION_ENV_PATH", str(python_env.absolute()))
    template = string.Template((source / "config.pbtxt").read_text("utf-8"))
    text = template.substitute(
        max_batch_size=config.server.max_batch_size,
        max_queue_delay_us=config.server.max_batch_delay_ms * 1000,
        max_queue_size=config.server.max_queue_size,
        workers=config.server.workers,
        midspan=_quoted(config.to_json()),
        execution_env=env,
    )
    (target / "config.pbtxt").write_text(text, "utf-8")
    key_file = target / ADMIN_KEY_FILE
    if not key_file.exists():  # written anew, it would lock out whoever started a server with the old one
        key_file.touch(mode=0o600)
        key_file.write_text(secrets.token_urlsafe(24), "ascii")
    return directory


def server_options(config: Config, repository: Path) -> list[str]:
    """The options of `tritonserver`.

    Model control is explicit, so that dead workers can be brought back; since whoever may load a model may run code,
    it takes the key that lies in the repository.
    """
    server = config.server
    lock = f"model-repository:{ADMIN_HEADER}={admin_key(repository)}"
    http_host = f"ipv6:{server.host}" if ":" in server.host else server.host  # so its HTTP library spells them
    return [
        f"--model-repository={repository}",
        "--model-control-mode=explicit",
        "--disable-auto-complete-config",  # it starts each model once more, before the real start
        f"--load-model={wire.MODEL_NAME}",
        f"--http-restricted-api={lock}",
        f"--grpc-restricted-protocol={lock}",
        f"--http-header-forward-pattern=(?i){wire.HEADER_PREFIX}.*",
        f"--grpc-header-forward-pattern=(?i){wire.HEADER_PREFIX}.*",
        f"--http-address={http_host}",
        f"--http-port={server.http_port}",
        f"--grpc-address={bracketed(server.host)}",
        f"--grpc-port={server.grpc_port}",
        f"--metrics-address={http_host}",
        f"--metrics-port={server.metrics_port}",
    ]


def launch(config: Config, directory: Path) -> Launch:
    """How to start a Triton here that serves `config`; `directory` takes its repository and its backend."""
    installation = find_server()
    repository = write_repository(config, directory / REPOSITORY)
    prefix = f"midspan_{os.getpid()}_{secrets.token_hex(4)}_"
    command = [str(installation.server), *server_options(config, repository)]
    command += [
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        f"--backend-config=python,shm-region-prefix-name={prefix}",
        "--allow-gpu-metrics=false",
    ]
    env = {**os.environ, "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    if installation.stub and installation.backends and installation.libraries:
        command.append(f"--backend-directory={_backends(installation.backends, installation.stub, directory)}")
        known = env.get("LD_LIBRARY_PATH")
        libraries = [str(installation.libraries), str(sysconfig.get_config_var("LIBDIR")), *([known] if known else [])]
        env["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    return Launch(
        command=tuple(command),
        env=env,
        directory=directory,
        shared_memory_prefix=prefix,
    )


def model_file(repository: Path) -> Path:
    """The Python file of the model in a repository; each worker has it on its command line."""
    return repository / wire.MODEL_NAME / "1/model.py"


def admin_key(repository: Path) -> str:
    """What the header `midspan-admin` must say to load a model of a repository that `write_repository` wrote."""
    return (repository / wire.MODEL_NAME / ADMIN_KEY_FILE).read_text("ascii")


def _backends(source: Path, stub: Path, directory: Path) -> Path:
    """A backend directory with this Python's stub in it; links, since the wheel's own may be read-only."""
    target = directory / "backends/python"
    target.mkdir(parents=True, exist_ok=True)
    for file in [*(source / "python").iterdir(), stub]:
        link = target / file.name
        if file.is_file() and not link.exists():
            link.symlink_to(file)
    return target.parent


def _parameter(name: str, value: str) -> str:
    return f"parameters {{ key: {_quoted(name)} value {{ string_value: {_quoted(value)} }} }}"


def _quoted(text: str) -> str:
    """Protobuf's text format escapes as JSON does, but for characters beyond ASCII, which stay themselves."""
    return json.dumps(text, ensure_ascii=False)
