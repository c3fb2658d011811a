"""Midspan's client SDK: ask a Triton or TorchServe with Midspan about a photo, by the best route from this device.

    >>> from midspan_client import Client, Objective
    >>> with Client("http://127.0.0.1:8000", server="triton", objective=Objective("time")) as client:
    ...     answer = client.classify("photo.jpg")
    >>> answer.label, answer.route.name, answer.total_s

Needs the standard library alone. Where Pillow is installed, photos can be resized on the device; where tritonclient is,
Triton can be asked over gRPC.
"""

from midspan.routing.chooser import Choice
from midspan.routing.energy import EnergyModel
from midspan.routing.objective import Objective
from midspan.routing.route import Part, Route
from midspan_client.answer import Answer, Prediction, ServerAnswer, Stages
from midspan_client.catalog import Catalog, VariantInfo
from midspan_client.client import Client
from midspan_client.engine import Engine
from midspan_client.errors import (
    ConnectError,
    MidspanClientError,
    NetworkError,
    ProtocolError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerError,
    ServerFaultError,
    UnavailableError,
    UsageError,
    WrongServerError,
)
from midspan_client.photo import Photo
from midspan_client.provider import Candidate, Context, Models, Outcome, RouteProvider, Session
from midspan_client.transport import Reply, Transport

__all__ = [
    "Answer",
    "Candidate",
    "Catalog",
    "Choice",
    "Client",
    "ConnectError",
    "Context",
    "EnergyModel",
    "Engine",
    "MidspanClientError",
    "Models",
    "NetworkError",
    "Objective",
    "Outcome",
    "Part",
    "Photo",
    "Prediction",
    "ProtocolError",
    "Reply",
    "RequestRefusedError",
    "RequestTimeoutError",
    "Route",
    "RouteProvider",
    "ServerAnswer",
    "ServerError",
    "ServerFaultError",
    "Session",
    "Stages",
    "Transport",
    "UnavailableError",
    "UsageError",
    "VariantInfo",
    "WrongServerError",
]
