"""What gets installed: one hard dependency, the deploy files inside, and an SDK that needs nothing else."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    output = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(output), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return next(output.glob("*.whl"))


def test_pluggy_is_the_only_hard_dependency(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    hard = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert [line.split(">")[0] for line in hard] == ["pluggy"]
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_wheel_carries_what_servers_load_and_nothing_stray(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for needed in ("model_repository/midspan/config.pbtxt", "model_repository/midspan/1/model.py"):
        assert f"midspan/_deploy/{needed}" in names
    assert any(name.startswith("midspan/_deploy/handlers/") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"midspan", "midspan_client", "midspan_conformance"}


def test_the_sdk_alone_runs_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False)
    python = next((tmp_path / "env").glob("bin/python3"))
    site = next((tmp_path / "env/lib").glob("python3*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:  # what an installer does with a wheel without scripts
        archive.extractall(site)
    done = subprocess.run(
        [python, "-W", "error", "-m", "midspan_client", "classify", "--url", "http://127.0.0.1:9", __file__],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
