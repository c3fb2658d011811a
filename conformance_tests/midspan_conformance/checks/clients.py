"""Do several clients at once each get their own answer?"""

from __future__ import annotations

from collections.abc import Sequence

from midspan_conformance.check import check, require
from midspan_conformance.exchange import Message
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]

CLIENTS = 8
EACH = 3


@check(
    "midspan.clients.concurrent",
    "each of several clients at once gets the answers to its own requests",
    "the host's protocol",
)
def concurrent(subject: Subject) -> str:
    def client(number: int) -> list[str]:
        ids = [f"client {number} request {count}" for count in range(EACH)]
        return [
            f"{one} got {told}" for one in ids if (told := (subject.good({"id": one}).report or {}).get("id")) != one
        ]

    wrong = [text for texts in subject.together([lambda n=n: client(n) for n in range(CLIENTS)]) for text in texts]  # type: ignore[misc]
    require(not wrong, f"{len(wrong)} answers went astray: {wrong[:3]}")
    return f"{CLIENTS} clients, {EACH} requests each"


@check(
    "midspan.clients.connection",
    "one connection carries many requests; after a refusal it does so too, unless the answer says that it closes",
    "HTTP/1.1, persistent connections",
)
def connection(subject: Subject) -> str:
    good = subject.host.classify(subject.picture, {})
    bad = subject.host.classify(b"no picture", {})
    _carries(subject, [(good, 200)] * 3)
    closes = _carries(subject, [(good, 200), (bad, 400)])
    if not closes:
        _carries(subject, [(bad, 400), (good, 200), (bad, 400), (good, 200)])
    return f"3 requests on one; after a refusal the host {'closes it and says so' if closes else 'keeps it open'}"


def _carries(subject: Subject, messages: Sequence[tuple[Message, int]]) -> bool:
    """Send all on one connection; returns whether the last answer says that it closes."""
    closes = False
    with subject.exchange.connection() as line:
        for message, wanted in messages:
            require(not closes, "the connection was closed after a good answer")
            reply = line.send(subject.exchange.signed(message))
            closes = reply.headers.get("connection", "").lower() == "close"
            answer = subject.read(reply)
            require(answer.status == wanted, f"on one connection got {answer}; required is status {wanted}")
    return closes


CHECKS = (concurrent, connection)
