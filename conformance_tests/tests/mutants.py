"""Servers that break one requirement each. The key is the check that must fail on them."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any

from tiny_server import KINDS, Brain, RefusedError


class NeverReady(Brain):
    ready_status = 503


class CountsInWords(Brain):
    def control(self, name: str) -> dict[str, Any]:
        return {"status": "ok", "counts": {"answers": "many"}} if name == "health" else super().control(name)


class OtherTypes(Brain):
    payload_datatype = "BYTES"


class DefaultNotThere(Brain):
    def control(self, name: str) -> dict[str, Any]:
        return {**super().control(name), "default": "medium"}


class NoLimit(Brain):
    def check_payload(self, payload: bytes) -> None:
        super().check_payload(payload[: self.max_payload_bytes])


class OneByteRead(Brain):
    """Each input arrives as its first element: what numpy 2 does to Triton's Python backend."""

    def score(self, payload: bytes, classes: int) -> list[float]:
        return super().score(payload[:1], classes)


class WorstFirst(Brain):
    def report(self, variant: str, scores: list[float], parameters: dict[str, Any]) -> dict[str, Any]:
        report = super().report(variant, scores, parameters)
        return {**report, "predictions": report["predictions"][::-1]}


class TimeLost(Brain):
    def report(self, variant: str, scores: list[float], parameters: dict[str, Any]) -> dict[str, Any]:
        return {**super().report(variant, scores, parameters), "server_s": 1.0}


class NoScores(Brain):
    """Each output leaves empty: the other half of what numpy 2 does."""

    def infer(self, payload: bytes, raw: dict[str, Any]) -> tuple[dict[str, Any], list[float] | None]:
        report, scores = super().infer(payload, raw)
        return report, [] if scores else None


class Forgetful(Brain):
    def __init__(self) -> None:
        self.count = itertools.count()

    def score(self, payload: bytes, classes: int) -> list[float]:
        return super().score(payload + bytes(next(self.count)), classes)


class OneVariantOnly(Brain):
    def choose(self, wanted: str) -> str:
        super().choose(wanted)
        return "small"


class AlwaysFive(Brain):
    def check_parameters(self, raw: dict[str, Any]) -> dict[str, Any]:
        return {**super().check_parameters(raw), "top_k": 5}


class NoId(Brain):
    def check_parameters(self, raw: dict[str, Any]) -> dict[str, Any]:
        return {**super().check_parameters(raw), "id": ""}


class LowerCaseOnly(Brain):
    def parameter_name(self, header: str) -> str | None:
        return super().parameter_name(header) if header == header.lower() else None


class AnyType(Brain):
    def check_parameter(self, name: str, value: Any) -> Any:
        try:
            return super().check_parameter(name, value)
        except RefusedError:
            return KINDS[name]() or 5


class AnyRange(Brain):
    def check_range(self, name: str, value: Any) -> None:
        pass


class UnknownIgnored(Brain):
    def check_parameters(self, raw: dict[str, Any]) -> dict[str, Any]:
        return super().check_parameters({name: value for name, value in raw.items() if name in KINDS})


class NestedTaken(Brain):
    def check_parameter(self, name: str, value: Any) -> Any:
        nested = json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value
        return 5 if isinstance(nested, list | dict) else super().check_parameter(name, value)


class EmptyIsOurFault(Brain):
    def check_payload(self, payload: bytes) -> None:
        if not payload:
            raise RefusedError(500, "internal", "IndexError: index out of range")
        super().check_payload(payload)


class TextTaken(Brain):
    def check_payload(self, payload: bytes) -> None:
        if not payload.startswith(b"This"):
            super().check_payload(payload)


class HalfTaken(Brain):
    def check_end(self, payload: bytes) -> None:
        pass


class BombTaken(Brain):
    def check_pixels(self, width_px: int, height_px: int) -> None:
        pass


class JpegBreaksIt(Brain):
    def check_payload(self, payload: bytes) -> None:
        if payload.startswith(b"\xff\xd8"):
            raise RefusedError(500, "internal", "MemoryError")
        super().check_payload(payload)


class VariantIsBadRequest(Brain):
    def choose(self, wanted: str) -> str:
        if wanted not in ("", *self.variants):
            raise RefusedError(400, "unknown_variant", f"no variant {wanted!r}; there are {', '.join(self.variants)}")
        return super().choose(wanted)


class AnyControl(Brain):
    def control(self, name: str) -> dict[str, Any]:
        return super().control("health" if name == "health" else "catalog")


class Limited(Brain):
    """Refuses, with `refusal`, what comes while another request is there; the first one waits for the second."""

    refusal = RefusedError(503, "unavailable", "the queue is full")

    def __init__(self) -> None:
        self.free = threading.Lock()
        self.refused = threading.Event()

    def infer(self, payload: bytes, raw: dict[str, Any]) -> tuple[dict[str, Any], list[float] | None]:
        if not self.free.acquire(blocking=False):
            self.refused.set()
            raise self.refusal
        try:
            self.refused.wait(5)
            return super().infer(payload, raw)
        finally:
            self.free.release()


class OverloadIsOurFault(Limited):
    refusal = RefusedError(500, "internal", "queue.Full")


class BadFailTogether(Brain):
    """Once a bad request was there, its neighbours fail with it; good ones but the first wait for one."""

    def __init__(self) -> None:
        self.first = True
        self.bad = threading.Event()

    def check_payload(self, payload: bytes) -> None:
        try:
            super().check_payload(payload)
        except RefusedError:
            self.bad.set()
            raise
        if not self.first and self.bad.wait(5):
            raise RefusedError(500, "internal", "the batch failed")
        self.first = False


class AnswersMixedUp(Brain):
    last_id = ""

    def report(self, variant: str, scores: list[float], parameters: dict[str, Any]) -> dict[str, Any]:
        told, self.last_id = self.last_id, parameters["id"]
        return super().report(variant, scores, {**parameters, "id": told})


class HangsUp(Brain):
    closes_after_refusal = True


MUTANTS: dict[str, type[Brain]] = {
    "midspan.health.ready": NeverReady,
    "midspan.health.control": CountsInWords,
    "midspan.metadata.interface": OtherTypes,
    "midspan.catalog.shape": DefaultNotThere,
    "midspan.catalog.limit": NoLimit,
    "midspan.classify.values": OneByteRead,
    "midspan.classify.predictions": WorstFirst,
    "midspan.classify.report": TimeLost,
    "midspan.classify.scores": NoScores,
    "midspan.classify.repeatable": Forgetful,
    "midspan.classify.variants": OneVariantOnly,
    "midspan.parameters.used": AlwaysFive,
    "midspan.parameters.id": NoId,
    "midspan.parameters.headers": LowerCaseOnly,
    "midspan.parameters.type": AnyType,
    "midspan.parameters.range": AnyRange,
    "midspan.parameters.unknown": UnknownIgnored,
    "midspan.parameters.nested": NestedTaken,
    "midspan.errors.empty": EmptyIsOurFault,
    "midspan.errors.text": TextTaken,
    "midspan.errors.truncated": HalfTaken,
    "midspan.errors.bomb": BombTaken,
    "midspan.errors.lying_jpeg": JpegBreaksIt,
    "midspan.errors.variant": VariantIsBadRequest,
    "midspan.errors.control": AnyControl,
    "midspan.errors.overload": OverloadIsOurFault,
    "midspan.errors.isolation": BadFailTogether,
    "midspan.clients.concurrent": AnswersMixedUp,
    "midspan.clients.connection": HangsUp,
}
