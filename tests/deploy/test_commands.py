"""The commands serve, deploy and watch, as an operator types them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from midspan.deploy import triton
from midspan.deploy.ports import free_ports
from midspan.deploy.process import session_members

MIDSPAN = [sys.executable, "-c", "import sys; from midspan.cli import main; sys.exit(main())"]


@pytest.fixture
def config_file(small_bundle: Path, tmp_path: Path) -> Path:
    ports = "".join(f"{name} = {port}\n" for name, port in free_ports().items())
    path = tmp_path / "midspan.toml"
    path.write_text(
        f'[plugins]\nenabled = ["preprocess", "onnxruntime"]\n[family]\nbundle = "{small_bundle}"\n'
        f'[server]\n{ports}[host]\nstore = "{tmp_path}/store.sqlite"\n'
    )
    return path


def midspan(*words: object) -> subprocess.CompletedProcess[str]:
    command = [*MIDSPAN, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_when_it_is_ready_and_stops_wholly(kind, end, config_file, tmp_path):
    log = tmp_path / "server.log"
    with subprocess.Popen(
        [*MIDSPAN, "serve", "--server", kind, "--config", str(config_file), "--log", str(log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serve:
        assert serve.stdout is not None
        line = serve.stdout.readline()
        assert line.startswith(f"{kind} is ready at http://127.0.0.1:")
        children = [int(pid) for pid in Path(f"/proc/{serve.pid}/task/{serve.pid}/children").read_text().split()]
        sessions = [pid for pid in children if session_members(pid)]
        assert sessions
        serve.send_signal(end)
        out, err = serve.communicate(timeout=60)
        assert serve.returncode == 0
    assert out == ""
    assert err.startswith(f"midspan: starting {kind}")
    assert err.rstrip().endswith(f"midspan: {kind} is stopped")
    assert log.stat().st_size > 0
    assert [pid for session in sessions for pid in session_members(session)] == []


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('"preprocess"', '"preproces"', "is enabled but not installed"),
        ("bundle = ", 'bundle = "/nonexistent" #', "cannot read bundle.json"),
        ("http_port = ", "http_prt = ", "unknown option 'server.http_prt'; did you mean 'http_port'?"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_status_1(before, after, reason, config_file):
    config_file.write_text(config_file.read_text().replace(before, after))
    done = midspan("serve", "--config", config_file)
    assert done.returncode == 1
    assert reason in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_deploy_triton_prints_the_command_that_serves_it(config_file, tmp_path):
    done = midspan("deploy", "triton", "--config", config_file, "--output", tmp_path / "repository")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"tritonserver --model-repository={tmp_path / 'repository'} ")
    assert triton.model_file(tmp_path / "repository").is_file()


def test_deploy_triton_wants_a_real_environment(config_file, tmp_path):
    words = ("deploy", "triton", "--config", config_file, "--output", tmp_path / "out", "--python-env", tmp_path)
    done = midspan(*words)
    assert done.returncode == 1
    assert "is not a virtual environment" in done.stderr
    assert not (tmp_path / "out").exists()


def test_deploy_torchserve_prints_the_command_that_serves_it(config_file, tmp_path):
    done = midspan("deploy", "torchserve", "--config", config_file, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("torchserve --start ")
    assert (tmp_path / "out/model-store/midspan.mar").is_file()


def test_watch_brings_a_worker_back_in_a_triton_that_somebody_else_started(start_server, config_file):
    server = start_server("triton")
    before = set(server.process.workers())
    words = ["watch", "--url", server.url, "--repository", str(server.log.parent / "repository")]
    with subprocess.Popen([*MIDSPAN, *words, "--config", str(config_file)], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == f"watching {server.url}, which is right; Ctrl-C ends it\n"
        os.kill(max(before), signal.SIGKILL)
        lines = [watch.stdout.readline() for _ in range(3)]
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(60) == 0
    assert "1 of 2 workers are alive" in lines[0]
    assert lines[1] == "trying to reload the model\n"
    assert lines[2].startswith("the server is right again after ")
    assert set(server.process.workers()) - before
