"""Where a server is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from midspan_client.errors import UsageError

__all__ = ["Endpoint"]

_PORTS: Final = {"http": 80, "https": 443, "grpc": 8001, "grpcs": 8001}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Scheme, host, port, and a path that stands before every request's own."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read http://, https://, grpc:// or grpcs://. Raises UsageError, which never repeats a password."""
        if not isinstance(url, str) or not url.isprintable() or " " in url:
            raise UsageError("url must be text without blanks, such as http://127.0.0.1:8000")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"url cannot be read: {error}") from error
        if parts.username is not None or parts.password is not None:
            raise UsageError("url must not hold a user or a password; give a token")
        if parts.scheme not in _PORTS or not parts.hostname:
            raise UsageError(
                f"url must start with http://, https://, grpc:// or grpcs:// and a host, got {url[:100]!r}"
            )
        if parts.query or parts.fragment:
            raise UsageError(f"url must have no query and no fragment, got {url[:100]!r}")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))
