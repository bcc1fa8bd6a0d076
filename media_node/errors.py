"""Errors that the node returns to its HTTP clients.

MediaRefused          code, status, message, retry_after
├── OfferInvalid      400 media.bad_offer
├── TokenInvalid      401 media.bad_token    same response for every reason
├── WrongSession      403 media.wrong_session
├── WrongRole         403 media.wrong_role
├── NotLive           404 media.not_live     carries retry_after
├── Unknown           404 missing
├── TooLarge          413 media.too_large
├── UnsupportedMedia  415 media.unsupported_media
└── TooMany           429 media.too_many     carries retry_after
"""

from __future__ import annotations


class MediaRefused(Exception):
    """Base class of the errors returned to clients. `code` is stable."""

    code = "invalid"
    status = 400
    message = "The request is not valid."

    def __init__(self, message: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(message or self.message)
        self.text = message or self.message
        self.retry_after = retry_after

    def body(self) -> dict[str, object]:
        """Return the error object of the API."""
        error: dict[str, object] = {"code": self.code, "message": self.text}
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return {"error": error}


class OfferInvalid(MediaRefused):
    code = "media.bad_offer"
    message = "The offer is not one this server can answer."


class TokenInvalid(MediaRefused):
    code = "media.bad_token"
    status = 401
    message = "The media token is missing, expired or not valid here."


class WrongSession(MediaRefused):
    code = "media.wrong_session"
    status = 403
    message = "The media token is for another session."


class WrongRole(MediaRefused):
    code = "media.wrong_role"
    status = 403
    message = "The media token does not allow this."


class NotLive(MediaRefused):
    code = "media.not_live"
    status = 404
    message = "No one is publishing in this session yet."


class Unknown(MediaRefused):
    code = "missing"
    status = 404
    message = "There is nothing at this address."


class TooLarge(MediaRefused):
    code = "media.too_large"
    status = 413
    message = "The offer is too large."


class UnsupportedMedia(MediaRefused):
    code = "media.unsupported_media"
    status = 415
    message = "Send the offer as application/sdp."


class TooMany(MediaRefused):
    code = "media.too_many"
    status = 429
    message = "Too many attempts; wait a moment and try again."
