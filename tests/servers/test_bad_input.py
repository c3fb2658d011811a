"""Payloads made to hurt: each is refused with a reason, and the server answers the next good request."""

from __future__ import annotations

import http.client
import io
import struct
import urllib.parse

import pytest
from PIL import Image

from midspan_client import Client
from midspan_client.errors import MidspanClientError
from midspan_conformance.exchange import NoAnswerError
from midspan_conformance.pictures import bomb

MIB = 2**20


def frame_at(jpeg):
    """Where the frame header's height begins."""
    return next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg) + 5


def with_size(jpeg, width_px, height_px):
    at = frame_at(jpeg)
    return jpeg[:at] + struct.pack(">HH", height_px, width_px) + jpeg[at + 4 :]


def as_gif(photo):
    out = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(out, "GIF")
    return out.getvalue()


BAD = {
    "empty": (lambda photo: b"", "", "0 bytes"),
    "empty, said to be a JPEG": (lambda photo: b"", "image/jpeg", "empty"),
    "first byte": (lambda photo: photo[:1], "image/jpeg", "declared as image/jpeg"),
    "cut in its headers": (lambda photo: photo[: frame_at(photo)], "image/jpeg", "JPEG"),
    "cut in half": (lambda photo: photo[: len(photo) // 2], "image/jpeg", "JPEG"),
    "cut before its end": (lambda photo: photo[:-200], "", "JPEG"),
    "PNG cut in half": (lambda photo: bomb()[:60], "image/png", "PNG"),
    "60000 x 60000 JPEG": (lambda photo: with_size(photo, 60_000, 60_000), "image/jpeg", "60000x60000"),
    "60000 x 60000 PNG": (lambda photo: bomb(), "image/png", "60000x60000"),
    "JPEG of width 0": (lambda photo: with_size(photo, 0, 100), "image/jpeg", "0"),
    "text named .jpg": (lambda photo: b"Dear diary, " * 500, "image/jpeg", "text"),
    "JPEG named .png": (lambda photo: photo, "image/png", "a JPEG"),
    "GIF": (as_gif, "image/gif", "GIF"),
    "zeros": (lambda photo: bytes(MIB), "", str(MIB)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_get_400_and_the_reason(case, server, photo, subject_of):
    make, content_type, reason = BAD[case]
    subject = subject_of(server)
    answer = subject.classify(make(photo), {"content_type": content_type} if content_type else {})
    assert answer.status == 400, str(answer)
    assert answer.code in ("bad_payload", "payload_too_large")
    assert reason in answer.message
    assert subject.good().report["predictions"][0]["index"] == subject.expected


@pytest.mark.parametrize(("width_px", "height_px"), [(500, 5000), (10, 10), (5000, 17)])
def test_a_jpeg_of_another_size_than_its_data_harms_nobody(width_px, height_px, server, photo, subject_of):
    """JPEG readers fill up what the data lack with grey, or leave the rest out: it is answered, or refused."""
    subject = subject_of(server)
    answer = subject.classify(with_size(photo, width_px, height_px))
    assert answer.status in (200, 400), str(answer)
    assert subject.good().report["predictions"][0]["index"] == subject.expected


def test_200_mb_get_a_reason_or_a_broken_connection_and_a_good_one_follows(server, subject_of):
    """TorchServe refuses by the Content-Length, and may hang up before it has read what is on its way."""
    subject = subject_of(server)
    try:
        answer = subject.classify(b"\xff\xd8\xff" + bytes(200_000_000))
    except NoAnswerError:
        assert server.kind == "torchserve"
    else:
        assert answer.status in (400, 413), str(answer)
        assert answer.message
    assert subject.good().report["predictions"][0]["index"] == subject.expected


def test_200_mb_through_the_sdk_are_a_typed_error(server, subject_of, photo):
    with Client(server.url, server=server.kind, retries=0) as client:
        with pytest.raises(MidspanClientError) as caught:
            client.classify(b"\xff\xd8\xff" + bytes(200_000_000))
        assert str(caught.value)
        assert client.classify(photo).predictions[0].index == 455


def test_a_body_that_never_comes_holds_up_nobody(server, subject_of):
    """A client that says 1 MB, sends 10 bytes and stays silent."""
    subject = subject_of(server)
    message = subject.host.classify(subject.picture, {})
    silent = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=10)
    silent.putrequest("POST", message.path)
    for name, value in {**message.headers, "Content-Length": str(MIB)}.items():
        silent.putheader(name, value)
    silent.endheaders(message.body[:10])
    try:
        for _ in range(4):
            assert subject.good().report["predictions"][0]["index"] == subject.expected
    finally:
        silent.close()
    assert subject.good().report["predictions"][0]["index"] == subject.expected


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"top_k": "five"}, "'top_k' must be a whole number"),
        ({"top_k": "5.5"}, "'top_k' must be a whole number"),
        ({"top_k": ""}, "'top_k' must be a whole number"),
        ({"scores": "maybe"}, "'scores' must be true or false"),
        ({"preprocessed": 2}, "'preprocessed' must be true or false"),
        ({"top_k": 10**30}, ""),  # beyond 64 bits Triton refuses it itself
        ({"variant": "lite0/../lite1"}, "no variant"),
        ({"variant": "x" * 101}, "'variant' has 101 characters"),
        ({"colour": "red"}, "unknown parameter 'colour'"),
        ({"top_k": {"a": {"b": 1}}}, "top_k"),
        ({"variant": ["lite0"]}, ""),
        ({"top_k": None}, ""),
    ],
)
def test_bad_options_get_their_status_and_the_reason(parameters, reason, server, subject_of):
    subject = subject_of(server)
    answer = subject.classify(subject.picture, parameters)
    assert answer.status == (404 if "variant" in parameters and answer.code == "unknown_variant" else 400), str(answer)
    assert reason in answer.message
    assert answer.message
    subject.good()
