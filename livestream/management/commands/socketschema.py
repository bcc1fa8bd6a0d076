"""`manage.py socketschema`: the room socket's frames as a JSON Schema, from the serializers that validate them."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from rest_framework import serializers

from livestream.events import Event
from livestream.realtime.consumer import CommandHandler
from livestream.realtime.protocol import MAX_REF_LENGTH, CloseCode
from livestream.retry_policy import Category
from livestream.routing import LiveConsumer

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Sent by the kernel and the consumer themselves. All others are subclasses of Event.
KERNEL_TYPES = ("snapshot", "resumed", "beat", "viewers")


class Command(BaseCommand):
    """Prints the schema, or writes it to a file."""

    help = "Print the JSON Schema of the room socket."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, help="write to this file instead of standard output")

    def handle(self, *args: Any, output: Path | None = None, **options: Any) -> None:
        text = schema_text()
        if output is None:
            self.stdout.write(text, ending="")
        else:
            output.write_text(text, encoding="utf-8")


def schema_text() -> str:
    """Return the schema as stored in docs/socket-schema.json. The output is deterministic."""
    return json.dumps(socket_schema(), indent=2, ensure_ascii=False) + "\n"


def socket_schema() -> dict[str, Any]:
    """Return the schema of commands (`$defs/command`), replies (`$defs/reply`) and events (`$defs/event`)."""
    commands = {f"command.{name}": _command(name, handler) for name, handler in sorted(LiveConsumer.commands.items())}
    return {
        "$schema": DIALECT,
        "title": "The room socket of Livestream",
        "description": "One JSON document of a frame; a frame holds one or more, separated by newlines.",
        "x-close-codes": {str(int(code)): code.name.lower() for code in CloseCode},
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in ("command", "reply", "event")],
        "$defs": {
            "command": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in commands]},
            **commands,
            "reply": _reply(),
            "error": _error(),
            "event": _event(),
        },
    }


def event_types() -> list[str]:
    """Return all values of `type` that the server sends."""
    return sorted([*KERNEL_TYPES, *(event.wire_name for event in Event.__subclasses__())])


def _command(name: str, handler: CommandHandler[Any]) -> dict[str, Any]:
    data = serializer_schema(handler.takes()) if handler.takes else {"type": "object"}
    required = ["op", "data"] if data.get("required") else ["op"]
    return {
        "type": "object",
        "properties": {"id": _ref(), "op": {"const": name}, "data": data},
        "required": required,
    }


def _ref() -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": MAX_REF_LENGTH}


def _reply() -> dict[str, Any]:
    done = {"ok": {"const": True}, "data": {"type": "object"}}
    refused = {"ok": {"const": False}, "error": {"$ref": "#/$defs/error"}}
    return {
        "type": "object",
        "properties": {"re": _ref()},
        "required": ["re", "ok"],
        "oneOf": [{"properties": properties, "required": list(properties)} for properties in (done, refused)],
    }


def _error() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "category": {"enum": [str(category) for category in Category]},
            "retry_after": {"type": "number"},
            "fields": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        },
        "required": ["code", "message", "category"],
    }


def _event() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Types that a client does not know are to be ignored.",
        "properties": {
            "type": {"type": "string", "examples": event_types()},
            "seq": {"type": "integer", "minimum": 1},
            "ts": {"type": "string", "format": "date-time"},
            "data": {"type": "object"},
        },
        "required": ["type", "data"],
    }


def serializer_schema(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a flat serializer. Raises TypeError for unsupported kinds of fields."""
    fields: dict[str, serializers.Field[Any, Any, Any, Any]] = serializer.fields  # type: ignore[attr-defined]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _nullable(field, _field(field)) for name, field in fields.items()},
    }
    required = [name for name, field in fields.items() if field.required]
    return schema | ({"required": required} if required else {})


def _field(field: serializers.Field[Any, Any, Any, Any]) -> dict[str, Any]:
    match field:
        case serializers.UUIDField():
            return {"type": "string", "format": "uuid"}
        case serializers.BooleanField():
            return {"type": "boolean"}
        case serializers.IntegerField():
            return {"type": "integer"} | _bounds(minimum=field.min_value, maximum=field.max_value)
        case serializers.ChoiceField():
            return {"type": "string", "enum": list(field.choices)}
        case serializers.CharField():
            shortest = 0 if field.allow_blank else 1
            return {"type": "string"} | _bounds(minLength=shortest or None, maxLength=field.max_length)
    raise TypeError(f"socketschema does not know how to describe {type(field).__name__}")


def _bounds(**bounds: int | None) -> dict[str, int]:
    return {name: value for name, value in bounds.items() if value is not None}


def _nullable(field: serializers.Field[Any, Any, Any, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]} if field.allow_null else schema
