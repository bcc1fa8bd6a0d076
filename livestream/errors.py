"""The errors that the domain raises and the edges render.

DomainError            code, status, retry_after, fields
├── Invalid            400  bad input that a form could not catch
├── NotAuthenticated   401
├── Denied             403
├── Missing            404  also what strangers get for private things
├── BodyTooSlow        408
├── Conflict           409  not allowed in this state; a lost race
├── BodyTooBig         413
├── TooMany            429  carries retry_after
└── Unavailable        503  temporary

ProviderError          provider, permanent, category; internal, never rendered:
├── ProviderRejected       services turn these three into
├── ProviderUnreachable    Conflict, Unavailable (retry_after)
└── ProviderUnsupported    or Invalid

What to do about an error of some category is in `livestream.retry_policy`.
Codes are stable, dotted and lower-case; docs/protocol.md lists them. Nobody branches on a message.
"""

from typing import Any

from livestream.retry_policy import Category, category_of


class DomainError(Exception):
    """Something the caller did, or met, that has a name. Rendered by `livestream.rest` and `livestream.realtime`."""

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
        """What kind of trouble this is; `livestream.retry_policy` says what to do about it."""
        return category_of(self.code)

    def as_dict(self) -> dict[str, Any]:
        """The `error` object of the contract."""
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
    """Signed in, but not allowed."""

    status, code, message = 403, "denied", "You don't have permission to do that."


class Missing(DomainError):
    """Not there, or not for this caller to know of."""

    status, code, message = 404, "missing", "Not found."


class BodyTooSlow(DomainError):
    """The rest of a body does not come."""

    status, code, message = 408, "too_slow", "The request took too long to arrive. Try again."


class Conflict(DomainError):
    """Not possible in this state."""

    status, code, message = 409, "conflict", "That isn't possible right now."


class BodyTooBig(DomainError):
    """More bytes than are taken here."""

    status, code, message = 413, "too_big", "That is too large."


class TooMany(DomainError):
    """Too often; `retry_after` says when."""

    status, code, message = 429, "too_many", "Too many requests. Wait a moment and try again."


class Unavailable(DomainError):
    """Something the product needs is away for a moment."""

    status, code, message = 503, "unavailable", "The service is busy. Try again in a moment."


class ProviderError(Exception):
    """A media provider failed. `permanent` says whether trying again can help."""

    permanent = False
    category = Category.STREAM

    def __init__(self, provider: str, message: str) -> None:
        self.provider = provider
        super().__init__(f"{provider}: {message}")


class ProviderRejected(ProviderError):
    """The provider understood and refused; `status` is its HTTP status."""

    permanent = True
    category = Category.PERMISSION

    def __init__(self, provider: str, message: str, *, status: int = 0) -> None:
        super().__init__(provider, message)
        self.status = status
        if status == 401:
            self.category = Category.AUTHENTICATION


class ProviderUnreachable(ProviderError):
    """No answer, or an answer that says to come back later: after `retry_after` seconds."""

    category = Category.NETWORK

    def __init__(self, provider: str, message: str, *, retry_after: float = 2) -> None:
        super().__init__(provider, message)
        self.retry_after = retry_after


class ProviderUnsupported(ProviderError):
    """The provider has no such ability."""

    permanent = True
