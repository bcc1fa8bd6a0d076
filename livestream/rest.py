"""Shared parts of the HTTP API: error rendering, strict JSON, pagination, client addresses."""

import io
import json
import logging
import re
from datetime import UTC
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.dateparse import parse_datetime
from rest_framework import exceptions
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from livestream.errors import (
    BodyTooBig,
    Denied,
    DomainError,
    Invalid,
    Missing,
    NotAuthenticated,
    TooMany,
)

logger = logging.getLogger(__name__)


class StrictJSONParser(BaseParser):
    """JSON as in RFC 8259, of a bounded size: no NaN, no lone surrogates, no NUL, and an object at the top."""

    media_type = "application/json"
    max_bytes: int = settings.API_MAX_BODY_BYTES

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """Parse the object in the body. The size is enforced while reading, whatever Content-Length says."""
        raw = stream.read(self.max_bytes + 1)
        if len(raw) > self.max_bytes:
            raise BodyTooBig()
        if not raw:
            return {}
        try:
            text = raw.decode("utf-8")
            document = json.loads(text, parse_constant=_no_constant)
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError):
            raise Invalid("invalid.json", "The body is not valid JSON.") from None
        if not isinstance(document, dict):
            raise Invalid("invalid.json", "The body must be a JSON object.")
        return document


def _no_constant(name: str) -> None:
    raise ValueError(name)


class CreatedCursorPagination(CursorPagination):
    """Pages of a list, newest first."""

    ordering = ("-created_at", "id")
    page_size_query_param = "limit"
    max_page_size = 100

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the start of the page. A cursor not made by this server is Missing, without a database query."""
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not _is_moment(str(cursor.position)):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor


def _is_moment(text: str) -> bool:
    try:
        moment = parse_datetime(text)
        if moment is None or moment.tzinfo is None:
            return False
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def serializer_errors(errors: Any) -> Invalid:
    """Return a serializer's errors as a domain error, with the first sentence as the message."""
    fields = _flatten(errors)
    first = next(iter(fields.values()), ["Some of the data is not valid."])
    name = next(iter(fields), "")
    message = first[0] if name in ("", "non_field_errors") else f"{name}: {first[0]}"
    return Invalid("invalid", message, fields=fields)


def _flatten(errors: Any, prefix: str = "") -> dict[str, list[str]]:
    if isinstance(errors, dict):
        result: dict[str, list[str]] = {}
        for name, value in errors.items():
            result |= _flatten(value, f"{prefix}.{name}" if prefix else str(name))
        return result
    if isinstance(errors, list | tuple):
        return {prefix: [str(item) for item in errors]}
    return {prefix: [str(errors)]}


def as_domain_error(error: Exception) -> DomainError | None:
    """Return the domain error for a framework's exception, or None for a programming error."""
    match error:
        case DomainError():
            return error
        case exceptions.ValidationError():
            return serializer_errors(error.detail)
        case exceptions.NotAuthenticated():
            return NotAuthenticated()
        case exceptions.AuthenticationFailed():
            return NotAuthenticated("token.invalid", "Your session has expired. Log in again.")
        case exceptions.NotFound() | Http404():
            return Missing()
        case exceptions.PermissionDenied() | PermissionDenied():
            return Denied(message=_csrf_message(error))
        case exceptions.Throttled():
            return TooMany(retry_after=getattr(error, "wait", None) or 1)
        case exceptions.APIException():
            rendered = Invalid(f"invalid.{error.default_code}", str(error.detail))
            rendered.status = error.status_code
            return rendered
    return None


def _csrf_message(error: Exception) -> str | None:
    return str(error) if "CSRF" in str(error) else None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Render all errors in the API's shape. A hook of Django REST framework."""
    domain = as_domain_error(error)
    if domain is None:
        return None
    response = Response({"error": domain.as_dict()}, status=domain.status)
    if domain.retry_after is not None:
        response["Retry-After"] = str(max(1, round(domain.retry_after)))
    if domain.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def error_response(error: DomainError) -> JsonResponse:
    """Return the API's error response from a plain Django view."""
    response = JsonResponse({"error": error.as_dict()}, status=error.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def api_error(error: Exception) -> JsonResponse:
    """Return a coroutine view's response to an error, as `exception_handler` does. Other exceptions are raised
    again."""
    domain = as_domain_error(error)
    if domain is None:
        raise error
    response = error_response(domain)
    if domain.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def json_body(request: HttpRequest, *, max_bytes: int) -> dict[str, Any]:
    """Parse the object in the body of a coroutine view's request. An empty body is an empty object.

    Raises Invalid, BodyTooBig, and UnsupportedMediaType.
    """
    raw = request.read(max_bytes + 1)
    if raw and request.content_type != StrictJSONParser.media_type:
        raise exceptions.UnsupportedMediaType(request.content_type or "")
    if len(raw) > max_bytes:
        raise BodyTooBig()
    return StrictJSONParser().parse(io.BytesIO(raw))


def client_address(request: HttpRequest | Request) -> str:
    """Return the client's address as the server saw it. The server's configuration decides which proxies to trust."""
    return str(request.META.get("REMOTE_ADDR") or "unknown")


def public_prefix(request: HttpRequest) -> str:
    """Return the path prefix under which a proxy serves this site, empty at the root. Any client may send it, so it
    is used only in the response to the same request."""
    prefix = request.headers.get("X-Forwarded-Prefix", request.META.get("SCRIPT_NAME", "")).rstrip("/")
    return prefix if re.fullmatch(r"(/[A-Za-z0-9._~-]{1,64}){1,8}", prefix) else ""


def validated(serializer_class: type[Serializer[Any]], request: Request, *, partial: bool = False) -> dict[str, Any]:
    """Return the request's body as validated by the serializer. Raises Invalid."""
    serializer = serializer_class(data=request.data, partial=partial)
    if not serializer.is_valid():
        raise serializer_errors(serializer.errors)
    result: dict[str, Any] = serializer.validated_data
    return result
