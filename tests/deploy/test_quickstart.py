"""TorchServe's workers start without torch, and yet nothing changes for who uses torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from midspan.deploy import torchserve

QUICKSTART = Path(torchserve.__file__).parent / "quickstart"


def run(code: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(QUICKSTART)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_worker_starts_without_torch():
    run("import ts.model_service_worker, sys; assert not any(name.split('.')[0] == 'torch' for name in sys.modules)")


@pytest.mark.parametrize("first", ["ts.protocol.otf_message_handler", "torch"])
def test_torch_is_torch_whichever_comes_first(first):
    run(
        f"import {first}\n"
        "import torch, torch.nn\n"
        "from ts.protocol import otf_message_handler as handler\n"
        "assert isinstance(torch.ones(1), handler.torch.Tensor)\n"
        "assert not isinstance('text', handler.torch.Tensor)\n"
        "assert handler.torch.save is torch.save\n"
    )


def test_without_torch_nothing_is_a_tensor():
    run(
        "from ts.protocol import otf_message_handler as handler\n"
        "assert not isinstance('text', handler.torch.Tensor)\n"
        "import sys; assert 'torch' not in sys.modules\n"
    )
