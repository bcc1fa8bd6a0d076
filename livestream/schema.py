"""What every part of the API answers alike, for the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.views import APIView

from livestream.retry_policy import Category

View = TypeVar("View", bound=Callable[..., Any])


class ErrorBody(serializers.Serializer[Any]):
    """What went wrong."""

    code = serializers.CharField()
    message = serializers.CharField()
    category = serializers.ChoiceField(choices=[category.value for category in Category])
    retry_after = serializers.FloatField(required=False)
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


class ErrorOut(serializers.Serializer[Any]):
    """Every error has this shape."""

    error = ErrorBody()


def errors_everywhere(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: whatever else an operation answers is an error, and errors have one shape."""
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


# How somebody may be signed in where the view itself asks who they are; the last is not at all.
SIGN_INS: Any = [{"jwtAuth": []}, {"cookieAuth": []}, {}]
