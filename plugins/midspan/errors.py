"""Every error that Midspan raises on purpose.

::

    MidspanError
    ├── ConfigError                 the operator's: a configuration that cannot be used
    │   ├── PluginError             a plug-in is missing, broken, misspelt or rejects its options
    │   └── BundleError             a bundle is damaged or does not say what it must
    ├── RequestError                the caller's (status 400 unless said otherwise)
    │   ├── BadParameterError       an option is unknown, of the wrong type or out of range
    │   ├── BadPayloadError         the bytes are not what they claim to be
    │   │   └── PayloadTooLargeError    more bytes or pixels than the server allows
    │   └── UnknownVariantError     404: the family has no such variant
    ├── UnavailableError            503: overloaded, not ready yet, or going down
    ├── InvalidValueError           a number or a saved state that the pure maths cannot work with; also a ValueError
    └── InternalError               500: our own fault
        └── PluginFailedError       a plug-in raised something else than a MidspanError

An error's `code` is a stable slug for programs, its text is for people and says what was got and what was allowed, and
its `status` is the HTTP status that both hosts answer with. All of them survive pickling.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BadParameterError",
    "BadPayloadError",
    "BundleError",
    "ConfigError",
    "InternalError",
    "InvalidValueError",
    "MidspanError",
    "PayloadTooLargeError",
    "PluginError",
    "PluginFailedError",
    "RequestError",
    "UnavailableError",
    "UnknownVariantError",
]


class MidspanError(Exception):
    """The root of the tree. `code` and `status` belong to the class, the text to the instance."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500


class ConfigError(MidspanError):
    """The configuration cannot be used; loading stops."""

    code = "bad_config"


class PluginError(ConfigError):
    """A plug-in cannot be used; `plugin` is its entry point's name, `distribution` the package that brought it."""

    code = "bad_plugin"

    def __init__(self, plugin: str, distribution: str, reason: str) -> None:
        super().__init__(plugin, distribution, reason)
        self.plugin = plugin
        self.distribution = distribution
        self.reason = reason

    def __str__(self) -> str:
        return f"plug-in {self.plugin!r} of {self.distribution}: {self.reason}"


class BundleError(ConfigError):
    """A bundle is damaged, incomplete or of a version that this Midspan does not read."""

    code = "bad_bundle"


class RequestError(MidspanError):
    """The caller can mend it by sending something else; sending the same again will fail again."""

    code = "bad_request"
    status = 400


class BadParameterError(RequestError):
    """An option is unknown, of the wrong type, or outside its range."""

    code = "bad_parameter"


class BadPayloadError(RequestError):
    """The payload is empty, truncated, or not what it claims to be."""

    code = "bad_payload"


class PayloadTooLargeError(BadPayloadError):
    """The payload has more bytes or more pixels than the server allows; nothing was decoded."""

    code = "payload_too_large"


class UnknownVariantError(RequestError):
    """The family has no variant of that name."""

    code = "unknown_variant"
    status = 404


class UnavailableError(MidspanError):
    """The server is overloaded, not ready yet, or going down; the same request may succeed later."""

    code = "unavailable"
    status = 503


class InvalidValueError(MidspanError, ValueError):
    """A value or a saved state that an estimator, a route or an objective cannot work with."""

    code = "invalid_value"


class InternalError(MidspanError):
    """The server's own fault."""

    code = "internal"
    status = 500


class PluginFailedError(InternalError):
    """A plug-in raised, in answering a request, something that is not a MidspanError."""

    code = "plugin_failed"

    def __init__(self, plugin: str, hook: str, reason: str) -> None:
        super().__init__(plugin, hook, reason)
        self.plugin = plugin
        self.hook = hook
        self.reason = reason

    def __str__(self) -> str:
        return f"plug-in {self.plugin!r} failed in {self.hook}: {self.reason}"
