"""Do several clients at once each get their own answer?"""

from __future__ import annotations

from midspan_conformance.check import check, require
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


@check("midspan.clients.connection", "one connection carries many requests, refused ones among them", "HTTP/1.1")
def connection(subject: Subject) -> str:
    good = subject.host.classify(subject.picture, {})
    bad = subject.host.classify(b"no picture", {})
    with subject.exchange.connection() as line:
        for message, wanted in ((good, 200), (bad, 400), (good, 200), (bad, 400), (good, 200)):
            answer = subject.read(line.send(subject.exchange.signed(message)))
            require(answer.status == wanted, f"on one connection got {answer}; required is status {wanted}")
    return "5 requests, 2 of them refused"


CHECKS = (concurrent, connection)
