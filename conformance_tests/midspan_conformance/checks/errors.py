"""Does each fault get its own status, a stable code and a message that says what and why?"""

from __future__ import annotations

from collections import Counter

from midspan_conformance.check import Check, SkippedError, check, require
from midspan_conformance.pictures import BAD_PICTURES, HUGE_PX
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]

SOURCE = "docs/errors.md"


def _bad_picture(kind: str, requirement: str, *, names: str = "") -> Check:
    @check(
        f"midspan.errors.{kind}",
        f"{requirement} is refused with 400 that says what was got; a good one follows",
        SOURCE,
    )
    def bad_picture(subject: Subject) -> str:
        answer = subject.classify(BAD_PICTURES[kind])
        require(answer.status == 400, f"got {answer}; required is status 400")
        require(len(answer.message) > 10, f"got {answer}; required is a message that says what and why")
        require(names in answer.message, f"got {answer}; required is a message that names {names}")
        subject.good()
        return str(answer)

    return bad_picture


@check("midspan.errors.variant", "a variant that is not there gets 404 that names those that are", SOURCE)
def unknown_variant(subject: Subject) -> str:
    answer = subject.classify(subject.picture, {"variant": "no-such-variant"})
    require(answer.status == 404, f"got {answer}; required is status 404")
    require(answer.code == "unknown_variant", f"got {answer}; required is the code unknown_variant")
    names = [variant["name"] for variant in subject.control("catalog")["variants"]]
    require(all(name in answer.message for name in names), f"got {answer}; required is a message that names {names}")
    return str(answer)


@check("midspan.errors.control", "a control that nobody answers gets 400 that names those that are there", SOURCE)
def unknown_control(subject: Subject) -> str:
    answer = subject.classify(b"\0", {"control": "no-such-control"})
    require(answer.status == 400, f"got {answer}; required is status 400")
    require("catalog" in answer.message, f"got {answer}; required is a message that names the control catalog")
    return str(answer)


@check("midspan.errors.overload", "under overload a request gets its answer or 503 with a reason, nothing else", SOURCE)
def overload(subject: Subject) -> str:
    answers = subject.together([lambda: subject.classify(subject.picture)] * subject.burst)
    statuses = Counter(answer.status for answer in answers)
    require(
        set(statuses) <= {200, 503}, f"{subject.burst} requests at once got {dict(statuses)}; required are 200 and 503"
    )
    mute = [answer for answer in answers if answer.status == 503 and not answer.message]
    require(not mute, f"{len(mute)} refusals do not say why")
    subject.good()
    if 503 not in statuses:
        raise SkippedError(f"{subject.burst} requests at once are no overload: all were answered")
    return f"{dict(statuses)}, then a good answer"


@check(
    "midspan.errors.isolation", "bad requests among good ones fail alone; the good ones are answered rightly", SOURCE
)
def isolation(subject: Subject) -> str:
    alone = (subject.good().report or {})["predictions"]
    bad = list(BAD_PICTURES.values())
    payloads = [payload for one in bad for payload in (subject.picture, one)]
    answers = subject.together([lambda payload=payload: subject.classify(payload) for payload in payloads])  # type: ignore[misc]
    for payload, answer in zip(payloads, answers, strict=True):
        wanted = 200 if payload is subject.picture else 400
        require(answer.status == wanted, f"among {len(payloads)} at once, got {answer}; required is status {wanted}")
    reports = [answer.report for answer in answers if answer.report is not None]
    wrong = [row["predictions"][0] for row in reports if row["predictions"][0]["index"] != alone[0]["index"]]
    require(not wrong, f"among bad requests top-1 is {wrong}, alone it is {alone[0]}")
    return f"{len(reports)} good among {len(bad)} bad; largest batch {max(row['batch_size'] for row in reports)}"


CHECKS = (
    _bad_picture("empty", "an empty payload"),
    _bad_picture("text", "a text"),
    _bad_picture("truncated", "a picture that ends early"),
    _bad_picture("bomb", "a picture of 60000 x 60000 pixels", names=str(HUGE_PX)),
    _bad_picture("lying_jpeg", "a JPEG whose header lies about its size"),
    unknown_variant,
    unknown_control,
    overload,
    isolation,
)
