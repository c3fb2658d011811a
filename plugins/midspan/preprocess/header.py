"""What a payload is, by its first bytes, and how large, by its header; nothing is decoded here."""

from __future__ import annotations

from collections.abc import Callable

from midspan.errors import BadPayloadError, PayloadTooLargeError
from midspan.preprocess import jpeg, png, webp
from midspan.preprocess.picture import Picture

__all__ = ["CONTENT_TYPES", "looks_like", "read_header", "sniff"]

CONTENT_TYPES = {
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/png": "PNG",
    "image/apng": "PNG",
    "image/webp": "WEBP",
}
_READERS: dict[str, Callable[[bytes], Picture]] = {"JPEG": jpeg.read, "PNG": png.read, "WEBP": webp.read}
_MAGICS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF or a camera's raw file"),
    (b"MM\0*", "a TIFF or a camera's raw file"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip"),
    (b"\x93NUMPY", "a numpy array"),
)


def sniff(payload: bytes) -> str | None:
    """The picture's format (JPEG, PNG or WEBP) by its magic, or None."""
    if payload[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if payload[:8] == png.SIGNATURE:
        return "PNG"
    if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
        return "WEBP"
    return None


def read_header(payload: bytes, content_type: str, max_pixels: int) -> Picture | None:
    """What the picture is and how large; None where neither the bytes nor the declared type are a picture of ours.

    Raises BadPayloadError where the bytes contradict `content_type` or the container is damaged, and
    PayloadTooLargeError where the picture has more than `max_pixels`.
    """
    declared = content_type.partition(";")[0].strip().lower()
    found = sniff(payload)
    if found is None and declared not in CONTENT_TYPES:
        return None
    # application/… is what clients say who do not look at what they send; a picture or a text is a statement.
    says_something = declared.startswith(("image/", "text/"))
    if found is None or (says_something and CONTENT_TYPES.get(declared) != found):
        raise BadPayloadError(f"declared as {declared[:100]} but the first bytes look like {looks_like(payload)}")
    picture = _READERS[found](payload)
    pixels = picture.width_px * picture.height_px
    size = f"the {found} has {picture.width_px}x{picture.height_px} pixels"
    if pixels == 0:
        raise BadPayloadError(f"{size}; a picture needs at least one")
    if pixels > max_pixels:
        raise PayloadTooLargeError(f"{size}, {pixels} in all; at most {max_pixels} are allowed")
    return picture


def looks_like(payload: bytes) -> str:
    """The first bytes in words, for an error's text."""
    if not payload:
        return "nothing: the payload is empty"
    found = sniff(payload)
    if found:
        return f"a {found}"
    if payload[4:8] == b"ftyp":
        return "HEIF or AVIF" if payload[8:12] in _HEIF_BRANDS else "a video or another ISO media file"
    for magic, name in _MAGICS:
        if payload.startswith(magic):
            return name
    head = payload[:24]
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return f"text: {head.decode('ascii')!r}"
    return f"bytes: {head[:8].hex(' ')}"


_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
