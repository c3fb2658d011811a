"""Does the server tell a device what it needs to know to decide?"""

from __future__ import annotations

from midspan_conformance.check import SkippedError, check, require
from midspan_conformance.subject import Subject

__all__ = ["CHECKS"]

KERNEL_PARAMETERS = {"content_type", "control", "id", "scores", "top_k", "variant"}
MAX_TRIED_BYTES = 64 * 2**20


@check(
    "midspan.catalog.shape",
    "the catalog has a version, the variants with their sizes, the default among them, limits and parameters",
    "midspan.catalog",
)
def shape(subject: Subject) -> str:
    catalog = subject.control("catalog")
    require(catalog["catalog_version"] == 1, f"catalog_version is {catalog['catalog_version']!r}; required is 1")
    names = [variant["name"] for variant in catalog["variants"]]
    require(names and len(set(names)) == len(names), f"variants are {names}; required is at least one, none twice")
    require(catalog["default"] in names, f"default is {catalog['default']!r}, which is none of {names}")
    for variant in catalog["variants"]:
        sizes = [variant[key] for key in ("side_px", "resize_px", "classes")]
        require(all(type(size) is int and size > 0 for size in sizes), f"{variant['name']} has the sizes {sizes}")
        accuracy = variant["accuracy"]
        require(accuracy is None or 0 <= accuracy <= 1, f"{variant['name']} has accuracy {accuracy}; must be 0 to 1")
    missing = KERNEL_PARAMETERS - set(catalog["parameters"])
    require(not missing, f"the parameters lack {sorted(missing)}")
    return f"variants {', '.join(names)}; default {catalog['default']}"


@check(
    "midspan.catalog.limit",
    "a payload of one byte more than `limits.max_payload_bytes` is refused with 400 or 413, told why",
    "midspan.catalog",
)
def limit(subject: Subject) -> str:
    most_bytes = subject.control("catalog")["limits"]["max_payload_bytes"]
    require(type(most_bytes) is int and most_bytes > 0, f"max_payload_bytes is {most_bytes!r}")
    if most_bytes >= MAX_TRIED_BYTES:
        raise SkippedError(f"{most_bytes} bytes are more than the kit sends")
    answer = subject.classify(subject.picture.ljust(most_bytes + 1, b"\0"))
    require(answer.status in (400, 413), f"{most_bytes + 1} bytes got {answer}; required is 400 or 413")
    require(answer.message, f"{answer}: required is a message that says why")
    return str(answer)


CHECKS = (shape, limit)
