"""The server under test, and what the checks ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from midspan_conformance.check import FailedError, require
from midspan_conformance.exchange import Exchange, Reply
from midspan_conformance.host import Answer, Host

__all__ = ["Subject"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """A server. `picture` is one that it can classify, `expected` the index of its most likely class, if known.

    `burst` is how many requests are sent at once to provoke overload.
    """

    host: Host
    exchange: Exchange
    picture: bytes
    expected: int | None = None
    burst: int = 32

    def classify(
        self, payload: bytes, parameters: Mapping[str, object] | None = None, *, scores: bool = False
    ) -> Answer:
        """Send one payload, with options the host's own way."""
        return self.read(self.exchange.send(self.host.classify(payload, parameters or {}, scores=scores)))

    def classify_by_headers(self, payload: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one payload as the body, with options as headers."""
        return self.read(self.exchange.send(self.host.classify_by_headers(payload, headers)))

    def good(self, parameters: Mapping[str, object] | None = None, *, scores: bool = False) -> Answer:
        """Classify the picture; raises FailedError if the server refuses."""
        answer = self.classify(self.picture, parameters, scores=scores)
        require(answer.status == 200, f"the good picture got {answer}; required is status 200")
        return answer

    def control(self, name: str) -> dict[str, Any]:
        """The answer to a control request. Its payload is one byte: Triton takes no empty one."""
        answer = self.classify(b"\0", {"control": name})
        require(answer.status == 200, f"control {name!r} got {answer}; required is status 200")
        return dict(answer.report or {})

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make all calls at the same time, each from a thread of its own; results in order."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def read(self, reply: Reply) -> Answer:
        """Raises FailedError for a reply that is not the protocol's."""
        try:
            return self.host.read(reply)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            told = f"status {reply.status}, {len(reply.body)} bytes: {reply.start()}"
            raise FailedError(f"the answer cannot be read ({error!r}): {told}") from error
