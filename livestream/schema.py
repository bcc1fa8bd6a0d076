"""Shared parts of the OpenAPI schema: errors and authentication."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from livestream.retry_policy import Category

View = TypeVar("View", bound=Callable[..., Any])


class ErrorBody(serializers.Serializer[Any]):
    """Details of an error."""

    code = serializers.CharField()
    message = serializers.CharField()
    category = serializers.ChoiceField(choices=[category.value for category in Category])
    retry_after = serializers.FloatField(required=False)
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


class ErrorOut(serializers.Serializer[Any]):
    """All errors have this shape."""

    error = ErrorBody()


def errors_everywhere(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Declare the error shape for all other responses. A hook of drf-spectacular."""
    error = {"schema": {"$ref": "#/components/schemas/ErrorOut"}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {
                "description": "Any other error.",
                "content": {"application/json": error},
            }
    return result


def described_by(view_class: type[APIView]) -> Callable[[View], View]:
    """Mark a coroutine view with the class that describes it in the OpenAPI schema, as `as_view` marks its views."""

    def mark(view: View) -> View:
        described: Any = view
        described.cls, described.initkwargs = view_class, {}
        return view

    return mark


# Authentication methods of views that authenticate themselves. The last is anonymous.
SIGN_INS: Any = [{"jwtAuth": []}, {"cookieAuth": []}, {}]


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, generated once per process and format: it takes a tenth of a second."""

    _made: ClassVar[dict[str, bytes]] = {}
    _making = threading.Lock()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase | None:
        """Return the document, or 304 if the client has it."""
        renderer: Any = request.accepted_renderer
        kind: str = renderer.media_type
        with self._making:
            if kind not in self._made:
                self._made[kind] = renderer.render(super().get(request).data, renderer_context={})
        document = self._made[kind]
        etag = f'"{hashlib.sha256(document).hexdigest()[:16]}"'
        response = HttpResponse(document, content_type=f"{kind}; charset=utf-8", headers={"ETag": etag})
        return get_conditional_response(request, etag=etag, response=response)
