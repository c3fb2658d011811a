"""With the standard library alone the SDK imports, decides, sends, and learns."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys

at_start = set(sys.modules)  # what .pth files load is the environment's
BLOCKED = {"numpy", "torch", "PIL", "pluggy", "tritonclient", "requests", "grpc", "onnxruntime", "rich", "matplotlib"}

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Block())
url, server, photo, store = sys.argv[1:]

import midspan_client
from midspan_client import Client, UsageError

with Client(url, server=server, store=store) as client:
    choice = client.explain(photo)
    answers = [client.classify(photo) for _ in range(5)]
assert [route.name for route in choice.routes] == ["original"], choice
assert answers[-1].label == "cat" and not answers[-1].degraded, answers[-1]
if server == "triton":
    try:
        Client("grpc://127.0.0.1:1")
    except UsageError as error:
        assert "midspan[grpc]" in str(error), error
    else:
        raise AssertionError("gRPC without tritonclient")

from importlib.metadata import packages_distributions

known = {"midspan", "midspan_client"}
foreign = {name.partition(".")[0] for name in set(sys.modules) - at_start} & set(packages_distributions()) - known
strange = {name for name in foreign if "site-packages" in (getattr(sys.modules[name], "__file__", "") or "")}
assert not strange, sorted(strange)
print("done")
"""


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_nothing_but_the_standard_library(start, kind, jpeg, tmp_path):
    server = start(kind)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, server.url, kind, str(photo), str(tmp_path / "s.sqlite")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "done" in run.stdout
    assert len(server.seen) == 5


def test_importing_loads_only_the_pure_parts_of_midspan():
    program = "import sys, midspan_client; print(*sorted(m for m in sys.modules if m.startswith('midspan.')))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    allowed = ("midspan.errors", "midspan.wire", "midspan.estimate", "midspan.routing")
    assert all(name.startswith(allowed) for name in run.stdout.split()), run.stdout
