"""Documents and the commands in them. The convention is told at the top of `test_commands.py`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)")
SHELLS = ("sh", "bash", "console")
READY = re.compile(r"\b(ready|listening|Ctrl-C)\b", re.IGNORECASE)
STOP = "Press Ctrl-C"
BLOCK_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.05
STOPPED = (0, 128 + signal.SIGINT, -signal.SIGINT)
"""Good ends after Ctrl-C: the server's own, the shell's, and a signal that nobody caught."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `line` is its first line of code's; `stops` says that the prose before tells to press Ctrl-C."""

    line: int
    language: str
    option: str
    code: str
    stops: bool


class DocumentError(Exception):
    """A command of a document failed; the text says where, and what it printed."""


def blocks_of(text: str) -> list[Block]:
    """All fenced blocks in order. Raises DocumentError for one that is never closed."""
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    code: list[str] = []
    started, stops = 0, False
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.fullmatch(line)
        if opened is None:
            if fence:
                opened, started, code = fence, number + 1, []
            stops = stops or STOP in line
        elif fence and fence["fence"] == opened["fence"] and not fence["info"].strip():
            language, _, option = opened["info"].strip().partition(" ")
            blocks.append(Block(started, language, option.strip(), "\n".join(code) + "\n", stops))
            opened, stops = None, False
        else:
            code.append(line.removeprefix(opened["indent"]))
    if opened is not None:
        raise DocumentError(f"the block that begins in line {started} is never closed")
    if stops:
        blocks.append(Block(len(text.splitlines()), "", "", "", stops))
    return blocks


def commands_of(block: Block) -> str:
    """The shell script in a block; of a `console` block, what stands behind `$ `, line by line where it stood."""
    if block.language != "console":
        return block.code
    lines = block.code.splitlines()
    return "".join(f"{line[2:] if line.startswith('$ ') else ''}\n" for line in lines)


class Runner:
    """Runs one document's blocks in `directory`; a context manager that leaves no process behind."""

    def __init__(self, document: str, directory: Path, env: Mapping[str, str], *, timeout_s: float = BLOCK_TIMEOUT_S):
        self._document = document
        self._directory = directory
        self._env = dict(env)
        self._timeout_s = timeout_s
        self._servers: list[tuple[Block, subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *error: object) -> None:
        for _, process, _ in self._servers:
            _kill(process)

    def run(self, text: str) -> None:
        """Run all blocks in order, then end the servers as a reader would. Raises DocumentError."""
        for block in blocks_of(text):
            if block.stops:
                self.stop_servers()
            if block.language in SHELLS and block.option == "server":
                self._start_server(block)
            elif block.language in SHELLS and not block.option:
                self._run(block, _script(block, self._document))
            elif block.language == "python" and not block.option:
                self._run(block, [sys.executable, "-W", "error", "-c", "\n" * (block.line - 1) + block.code])
            elif block.option and "/" not in block.option:
                (self._directory / block.option).write_text(block.code, "utf-8")
        self.stop_servers()

    def stop_servers(self) -> None:
        """Press Ctrl-C in every terminal. Raises DocumentError for a server that does not end."""
        while self._servers:
            block, process, log = self._servers[-1]
            if process.poll() is not None:
                raise self._error(block, f"the server ended by itself with status {process.returncode}", log)
            os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            if process.poll() is None:
                raise self._error(block, f"the server still runs {STOP_TIMEOUT_S:.0f} s after Ctrl-C", log)
            if process.returncode not in STOPPED:
                raise self._error(block, f"the server ended with status {process.returncode} after Ctrl-C", log)
            self._servers.pop()

    def _run(self, block: Block, command: list[str]) -> None:
        process, log = self._start(block, command)
        try:
            status = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            raise self._error(block, f"still runs after {self._timeout_s:.0f} s", log) from None
        finally:
            _kill(process)
        if status:
            raise self._error(block, f"ended with status {status}", log)

    def _start_server(self, block: Block) -> None:
        process, log = self._start(block, _script(block, self._document))
        self._servers.append((block, process, log))
        deadline = time.monotonic() + self._timeout_s
        while not READY.search(log.read_text("utf-8", "replace")):
            if process.poll() is not None:
                raise self._error(block, f"the server ended with status {process.returncode}", log)
            if time.monotonic() > deadline:
                raise self._error(block, f"the server did not say that it is ready in {self._timeout_s:.0f} s", log)
            time.sleep(POLL_S)

    def _start(self, block: Block, command: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
        log = self._directory / f".output-{block.line}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process, log

    def _error(self, block: Block, what: str, log: Path) -> DocumentError:
        printed = log.read_text("utf-8", "replace")[-8000:]
        servers = "".join(
            f"\n--- the server of line {server.line} printed ---\n{path.read_text('utf-8', 'replace')[-2000:]}"
            for server, _, path in self._servers
            if path != log
        )
        where = f"{self._document}:{block.line}"
        return DocumentError(f"{where}: {what}\n{block.code}--- printed ---\n{printed}{servers}")


def _script(block: Block, document: str) -> list[str]:
    """Lines keep their numbers in the document, so that bash's own messages name them."""
    trap = "trap 'echo \"$0: line $LINENO: status $?\" >&2' ERR"
    ahead = "\n" * (block.line - 2) if block.line > 1 else ""
    return ["bash", "-Eeu", "-o", "pipefail", "-c", f"{trap}\n{ahead}{commands_of(block)}", document]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started, also in sessions of their own."""
    family = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
