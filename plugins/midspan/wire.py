"""Names and shapes of what crosses the network; shared by servers and devices. Standard library only.

A request is a payload and flat parameters. On Triton they are the UINT8 input `payload` and request parameters (or
forwarded headers), on TorchServe the body and `x-midspan-*` headers. An answer has a report, a JSON object:

=============== ======================================================================================
key             meaning
=============== ======================================================================================
`predictions`   the `top_k` most likely classes: `[{"index", "label", "score"}]`, best first
`variant`       the variant that answered
`cut`           the cut at which the payload entered its graph; 0 is the input
`batch_size`    how many requests ran together with this one
`server_s`      seconds from the request's arrival to its answer, as far as the server can tell
`stages_s`      the same by stage: queue, decode, select, prepare, run, other
`queue_max_s`   an upper bound of the queue's part: hosts do not tell their plug-ins when a request arrived
`id`            the caller's own name for the request, if it gave one
`scores`        the scores of all classes, where the parameter `scores` asked for them
`plugins`       what plug-ins added, by plug-in
=============== ======================================================================================

The plug-in `preprocess` adds `server_model`, what this server's time for the variant is made of, once it has learned
enough; the catalog has the same in each row of `variants`:

======================== =============================================================================
key                      meaning
======================== =============================================================================
`version`                grows with every training, restarts included: of two models take the higher
`prepare_s`              seconds of the stages decode and prepare, as three numbers not below 0: once,
                         for each megabyte (1e6 bytes) of payload, for each megapixel decoded of it
`prepare_relative_sd`    how far a measured one is off, as a fraction of the predicted one
`fixed_s`                seconds of all other stages but the queue
`fixed_relative_sd`      how far they are off, as a fraction
`samples`                how many requests the model was learned from
======================== =============================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = [
    "CATALOG_VERSION",
    "CONTROL_CATALOG",
    "CONTROL_HEALTH",
    "HEADER_PREFIX",
    "INPUT_PAYLOAD",
    "MODEL_NAME",
    "OUTPUT_REPORT",
    "OUTPUT_SCORES",
    "PARAMETER_CONTENT_TYPE",
    "PARAMETER_CONTROL",
    "PARAMETER_ID",
    "PARAMETER_PREPROCESSED",
    "PARAMETER_SCORES",
    "PARAMETER_TOP_K",
    "PARAMETER_VARIANT",
    "header_name",
    "normalise_parameters",
]

CATALOG_VERSION: Final = 1
"""Raised when a catalog changes its meaning. New keys alone do not raise it: readers ignore what they do not know."""

MODEL_NAME: Final = "midspan"
INPUT_PAYLOAD: Final = "payload"
OUTPUT_SCORES: Final = "scores"
OUTPUT_REPORT: Final = "report"

PARAMETER_CONTENT_TYPE: Final = "content_type"
PARAMETER_CONTROL: Final = "control"
PARAMETER_ID: Final = "id"
PARAMETER_PREPROCESSED: Final = "preprocessed"
PARAMETER_SCORES: Final = "scores"
PARAMETER_TOP_K: Final = "top_k"
PARAMETER_VARIANT: Final = "variant"

CONTROL_CATALOG: Final = "catalog"
CONTROL_HEALTH: Final = "health"

HEADER_PREFIX: Final = "x-midspan-"


def header_name(parameter: str) -> str:
    """The HTTP header that carries `parameter`: `top_k` travels as `x-midspan-top-k`."""
    return HEADER_PREFIX + parameter.replace("_", "-")


def normalise_parameters(raw: Mapping[str, object] | Iterable[tuple[str, object]]) -> dict[str, object]:
    """Parameters under their own names, whether they came natively or as `x-midspan-*` headers, however capitalised."""
    named: dict[str, object] = {}
    for name, value in raw.items() if isinstance(raw, Mapping) else raw:
        lowered = name.lower()
        if lowered.startswith(HEADER_PREFIX):
            name = lowered[len(HEADER_PREFIX) :].replace("-", "_")
        named[name] = value
    return named
