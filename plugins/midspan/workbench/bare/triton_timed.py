"""Midspan's own model with a clock around it: how long a batch is in its hands, less the work that it is there for."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from typing import Any

from midspan.deploy import assets
from midspan.errors import MidspanError
from midspan.types import Request, Response

_spec = importlib.util.spec_from_file_location("midspan_model", assets.model_directory() / "1/model.py")
assert _spec is not None
assert _spec.loader is not None
_plain: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_plain)


class TritonPythonModel(_plain.TritonPythonModel):  # type: ignore[misc]  # loaded from a file
    """Counts `bench.own_ns` and `bench.batches` in the host's store."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load as ever, and listen in on the pipeline."""
        super().initialize(args)
        self._work_s = 0.0
        self._infer = self._pipeline.infer
        self._pipeline.infer = self._listen

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Time a batch."""
        start = time.perf_counter()
        responses: list[Any] = super().execute(requests)
        own_s = time.perf_counter() - start - self._work_s
        self._pipeline.store.add("bench.own_ns", int(own_s * 1e9))
        self._pipeline.store.add("bench.batches")
        return responses

    def _listen(self, requests: Sequence[Request]) -> list[Response | MidspanError]:
        answers: list[Response | MidspanError] = self._infer(requests)
        stages = [
            answer.report["stages_s"]
            for answer in answers
            if isinstance(answer, Response) and answer.scores is not None
        ]
        # All of one variant, so they ran together and each was told the whole of it.
        run_s = max((one["run"] for one in stages), default=0.0)
        self._work_s = run_s + sum(one["decode"] + one["prepare"] for one in stages)
        return answers
