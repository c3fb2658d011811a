"""Puts the bare models beside Midspan's own into one server, so that both are measured in the same run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from midspan import wire
from midspan.bundle import Family
from midspan.config import Config
from midspan.deploy import torchserve
from midspan.deploy.launch import Launch
from midspan.estimate.features import DECODE_MARGIN

__all__ = ["BARE", "ECHO", "add_to_torchserve", "add_to_triton"]

BARE = "bare"
ECHO = "echo"

_SOURCES = Path(__file__).parent / "bare"

_CONFIG = """name: "{name}"
backend: "python"
max_batch_size: {max_batch_size}
input [{{ name: "payload", data_type: TYPE_UINT8, dims: [-1], allow_ragged_batch: true }}]
output [{{ name: "{output}", data_type: {kind}, dims: [-1] }}]
instance_group [{{ kind: KIND_CPU, count: {workers} }}]
dynamic_batching {{ }}
parameters {{ key: "settings" value {{ string_value: {settings} }} }}
"""


def add_to_triton(launch: Launch, config: Config, family: Family) -> Launch:
    """Write the models `bare` and `echo` into the launch's repository, with as many workers as Midspan has.

    Midspan's own model gets a clock around it.
    """
    outputs = {BARE: ("scores", "TYPE_FP32"), ECHO: ("echo", "TYPE_UINT8")}
    for name, (output, kind) in outputs.items():
        directory = launch.directory / "repository" / name
        (directory / "1").mkdir(parents=True, exist_ok=True)
        (directory / "1/model.py").write_text((_SOURCES / f"triton_{name}.py").read_text("utf-8"), "utf-8")
        text = _CONFIG.format(
            name=name,
            output=output,
            kind=kind,
            max_batch_size=config.server.max_batch_size,
            workers=config.server.workers,
            settings=json.dumps(json.dumps(_settings(family))),
        )
        (directory / "config.pbtxt").write_text(text, "utf-8")
    shutil.copyfile(_SOURCES / "triton_timed.py", launch.directory / "repository" / wire.MODEL_NAME / "1/model.py")
    return replace(launch, command=(*launch.command, *(f"--load-model={name}" for name in outputs)))


def add_to_torchserve(launch: Launch, config: Config, family: Family) -> Launch:
    """Archive the model `bare` into the launch's store and have it loaded too."""
    server = config.server
    settings: dict[str, Any] = {
        "minWorkers": server.workers,
        "maxWorkers": server.workers,
        "batchSize": server.max_batch_size,
        "maxBatchDelay": max(1, server.max_batch_delay_ms),  # as Midspan has it: TorchServe takes 0 for its own default
        "settings": _settings(family),
    }
    settings_file = launch.directory / "bare-config.yaml"
    settings_file.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    torchserve.archive(BARE, _SOURCES / "torchserve_bare.py", settings_file, launch.directory / torchserve.STORE)
    properties = launch.directory / "config.properties"
    text = properties.read_text("utf-8")
    properties.write_text(text.replace("midspan.mar", f"midspan.mar,{BARE}.mar"), "utf-8")
    return launch


def _settings(family: Family) -> Mapping[str, Any]:
    variant = family.variant(family.default)
    prep = variant.preprocessing
    return {
        "graph": str(variant.path.resolve()),
        "side_px": prep.side_px,
        "resize_px": prep.resize_px,
        "mean": list(prep.mean),
        "std": list(prep.std),
        "margin": DECODE_MARGIN,
    }
