"""Errors raised by the domain and rendered by the edges.

DomainError            code, status, retry_after, fields
├── Invalid            400  bad input that a form could not catch
├── NotAuthenticated   401
├── Denied             403
├── Missing            404  also for private things that the caller may not see
├── BodyTooSlow        408
├── Conflict           409  not allowed in this state; a lost race
├── BodyTooBig         413
├── TooMany            429  carries retry_after
└── Unavailable        503  temporary

ProviderError          provider, permanent, category; internal, never rendered:
├── ProviderRejected       services turn these three into
├── ProviderUnreachable    Conflict, Unavailable (retry_after)
└── ProviderUnsupported    or Invalid

`livestream.retry_policy` defines how to recover from each category of errors. Codes are stable, dotted and lower-case,
and listed in docs/protocol.md. Code must not branch on messages.
"""

from typing import Any

from livestream.retry_policy import Category, category_of


class DomainError(Exception):
    """Base class of errors for the caller. Rendered by `livestream.rest` and `livestream.realtime`."""

    status = 400
    code = "invalid"
    message = "That didn't work."

    def __init__(
        self,
        code: str | None = None,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.message = message or type(self).message
        self.retry_after = retry_after
        self.fields = fields
        super().__init__(f"{self.code}: {self.message}")

    @property
    def category(self) -> Category:
        """The error's category, for which `livestream.retry_policy` has a strategy."""
        return category_of(self.code)

    def as_dict(self) -> dict[str, Any]:
        """Return the `error` object of the API."""
        body: dict[str, Any] = {"code": self.code, "message": self.message, "category": str(self.category)}
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        if self.fields:
            body["fields"] = self.fields
        return body


class Invalid(DomainError):
    """Bad input."""

    message = "Some of the data is not valid."


class NotAuthenticated(DomainError):
    """The caller must log in first."""

    status, code, message = 401, "not_authenticated", "Log in first."


class Denied(DomainError):
    """Logged in, but not allowed."""

    status, code, message = 403, "denied", "You don't have permission to do that."


class Missing(DomainError):
    """Does not exist, or the caller may not know that it exists."""

    status, code, message = 404, "missing", "Not found."


class BodyTooSlow(DomainError):
    """The rest of the body did not arrive in time."""

    status, code, message = 408, "too_slow", "The request took too long to arrive. Try again."


class Conflict(DomainError):
    """Not possible in the current state."""

    status, code, message = 409, "conflict", "That isn't possible right now."


class BodyTooBig(DomainError):
    """The body exceeds the limit."""

    status, code, message = 413, "too_big", "That is too large."


class TooMany(DomainError):
    """Rate limited. `retry_after` is in seconds."""

    status, code, message = 429, "too_many", "Too many requests. Wait a moment and try again."


class Unavailable(DomainError):
    """A required service is temporarily unavailable."""

    status, code, message = 503, "unavailable", "The service is busy. Try again in a moment."


class ProviderError(Exception):
    """A media provider failed. `permanent` means that a retry cannot help."""

    permanent = False
    category = Category.STREAM

    def __init__(self, provider: str, message: str) -> None:
        self.provider = provider
        super().__init__(f"{provider}: {message}")


class ProviderRejected(ProviderError):
    """The provider understood and refused the request. `status` is its HTTP status."""

    permanent = True
    category = Category.PERMISSION

    def __init__(self, provider: str, message: str, *, status: int = 0) -> None:
        super().__init__(provider, message)
        self.status = status
        if status == 401:
            self.category = Category.AUTHENTICATION


class ProviderUnreachable(ProviderError):
    """No response, or one that asks to retry after `retry_after` seconds."""

    category = Category.NETWORK

    def __init__(self, provider: str, message: str, *, retry_after: float = 2) -> None:
        super().__init__(provider, message)
        self.retry_after = retry_after


class ProviderUnsupported(ProviderError):
    """The provider does not support the operation."""

    permanent = True
