"""One HTTP exchange with the standard library; what probes and watchdogs talk through."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Protocol

__all__ = ["Send", "bracketed", "send"]

MAX_ANSWER_BYTES = 64 * 2**20


def bracketed(host: str) -> str:
    """A host as URLs have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


class Send(Protocol):
    """Sends one request; returns status and body. Raises OSError if there is no answer, TimeoutError if it is late."""

    def __call__(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float, /
    ) -> tuple[int, bytes]:
        """See the class."""
        ...


def send(method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float) -> tuple[int, bytes]:
    """See `Send`. Never goes through a proxy: the server is this machine's, or the operator named it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310  # the operator's URL
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return answer.status, answer.read(MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MAX_ANSWER_BYTES)
    except urllib.error.URLError as error:
        if isinstance(error.reason, OSError):
            raise error.reason from error
        raise ConnectionError(str(error.reason)) from error
    except http.client.HTTPException as error:
        raise ConnectionError(f"broken answer: {error!r}") from error
