"""A real server on this machine, from its start until nothing of it is left."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path

from midspan import bundle
from midspan.config import Config
from midspan.deploy import torchserve, triton
from midspan.deploy.checks import check_ports
from midspan.deploy.http import bracketed
from midspan.deploy.launch import Launch
from midspan.deploy.loading import CANNOT_LOAD
from midspan.deploy.process import ServerProcess
from midspan.deploy.ready import Finding, Health, Probe
from midspan.deploy.watchdog import Cure, Watchdog
from midspan.deploy.workers import TritonWorkers
from midspan.errors import ConfigError, UnavailableError

__all__ = ["KINDS", "LocalServer"]

KINDS = ("triton", "torchserve")
POLL_S = 0.05
START_PROBE_TIMEOUT_S = 1.0  # a TorchServe without workers keeps a request, while the log tells why
MAX_LOG_BYTES = 4 * 2**20
LOAD_ERROR = re.compile(re.escape(CANNOT_LOAD) + r"(?P<reason>[^\n]+)\n")


class LocalServer:
    """A Triton or a TorchServe that serves one configuration; a context manager, or `start` and `stop`.

    `adjust` may change how it is launched, and add to what it loads, before each start. Everything that the server
    writes but `log` lies in a private temporary directory, which goes when it stops. Not thread-safe, but for the
    watchdog that `watch` starts.
    """

    def __init__(
        self,
        kind: str,
        config: Config,
        *,
        log: Path | None = None,
        timeout_s: float = 120.0,
        adjust: Callable[[Launch], Launch] = lambda launch: launch,
    ) -> None:
        if kind not in KINDS:
            raise ConfigError(f"unknown server {kind[:100]!r}; there are {' and '.join(KINDS)}")
        self.kind = kind
        self.config = config
        self.family = bundle.load(config.family.bundle)
        self.process: ServerProcess | None = None
        self._timeout_s = timeout_s
        self._log = log
        self._adjust = adjust
        self._directory: Path | None = None
        self._launch: Launch | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where HTTP requests go."""
        return f"http://{bracketed(self.config.server.host)}:{self.config.server.http_port}"

    @property
    def grpc_url(self) -> str:
        """Where gRPC requests go: host and port."""
        return f"{bracketed(self.config.server.host)}:{self.config.server.grpc_port}"

    @property
    def log(self) -> Path:
        """The server's own log."""
        if self._log is not None:
            return self._log
        assert self._directory is not None
        return self._directory / "server.log"

    @property
    def running(self) -> bool:
        """Whether the server's main process lives."""
        return self.process is not None and self.process.running

    @property
    def token(self) -> str:
        """The bearer token of inference, or "" where none is asked for. A restart makes a new one."""
        return self._launch.token() if self._launch else ""

    def start(self) -> LocalServer:
        """Start, and wait until a real prediction is right. Raises ConfigError or UnavailableError, leaving nothing."""
        if self.process is not None:
            raise ConfigError(f"this {self.kind} runs already")
        server = self.config.server
        ports = {name: getattr(server, name) for name in ("http_port", "grpc_port", "metrics_port")}
        if self.kind == "torchserve":
            ports["management_port"] = server.management_port
        check_ports(server.host, ports)
        self._stopping.clear()
        self._directory = Path(tempfile.mkdtemp(prefix="midspan-"))  # short: it holds sockets
        try:
            self._begin()
        except BaseException:
            self.kill()  # what never served has nothing to finish
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the watchdog, the server and all its children, and remove its files. A second call does nothing."""
        with self._lock:  # from here on the watchdog starts nothing any more
            self._stopping.set()
        if self.process is not None:
            self.process.stop()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        self.process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """End the server and all its children at once; a watchdog would start it again."""
        if self.process is not None:
            self.process.kill()

    def restart(self) -> None:
        """End what is left of the server and start it again, with the same configuration and ports."""
        self.kill()
        self._begin()

    def probe(self) -> Finding:
        """One real inference with a known answer."""
        return self._make_probe()()

    def watch(self, report: Callable[[str], None] = lambda text: None) -> None:
        """Start the watchdog in a thread of its own; `stop` ends it. Call it once, after `start`."""
        assert self._directory is not None
        restart = Cure("restart the server", self.restart, revives=True)
        workers = self.config.server.workers
        if self.kind == "triton":
            tended = TritonWorkers(self.url, self._directory / triton.REPOSITORY, workers)
            reload = Cure("reload the model", tended.reload)
            dog = Watchdog(
                self._make_probe(), [reload, restart], signs=[tended.inspect], workers=workers, report=report
            )
        else:
            dog = Watchdog(self._make_probe(), [restart], workers=workers, self_healing=True, report=report)
        self._watcher = threading.Thread(target=dog.watch, args=(self._stopping.wait,), name="midspan-watchdog")
        self._watcher.start()

    def __enter__(self) -> LocalServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.stop()

    def _make_probe(self, timeout_s: float = 5.0) -> Probe:
        return Probe(self.kind, self.url, self.family, token=lambda: self.token, timeout_s=timeout_s)

    def _begin(self) -> None:
        assert self._directory is not None
        make = triton.launch if self.kind == "triton" else torchserve.launch
        self._launch = self._adjust(make(self.config, self._directory))
        log = self.log
        log_start = log.stat().st_size if log.exists() else 0
        with self._lock:
            if self._stopping.is_set():
                raise UnavailableError(f"{self.kind} is being stopped")
            self.process = ServerProcess(
                self._launch.command,
                env=self._launch.env,
                directory=self._launch.directory,
                log=log,
                shared_memory_prefix=self._launch.shared_memory_prefix,
            )
        self._await_right(self.process, self._launch, log_start)

    def _await_right(self, process: ServerProcess, launch: Launch, log_start: int) -> None:
        probe, deadline = self._make_probe(START_PROBE_TIMEOUT_S), time.monotonic() + self._timeout_s
        while True:
            running = process.running  # asked before the log is read, so that a last word is not missed
            if reason := _load_error(process.log, log_start):
                raise ConfigError(f"{self.kind} does not load: {reason}")
            if not running:
                raise ConfigError(f"{self.kind} ended by itself: {_last_words(process.log, log_start)}")
            finding = probe()
            if finding.health is Health.RIGHT and launch.loaded():
                return
            if finding.health is Health.WRONG or time.monotonic() > deadline:
                raise UnavailableError(f"{self.kind} runs but is {finding.health.value}: {finding.text}")
            if self._stopping.wait(POLL_S):
                raise UnavailableError(f"{self.kind} is being stopped")


def _load_error(log: Path, start: int) -> str:
    """What a worker's pipeline said when it refused to load, out of the server's log; "" if it did not."""
    match = LOAD_ERROR.search(_tail(log, start))
    return match["reason"].strip() if match else ""


def _last_words(log: Path, start: int) -> str:
    lines = [line.strip() for line in _tail(log, start).splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b|\bfailed\b", line, re.IGNORECASE)]
    return (errors or lines or ["it wrote no log"])[-1][:1000]


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read(MAX_LOG_BYTES).decode("utf-8", "replace")
