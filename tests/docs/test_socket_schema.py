"""docs/socket-schema.json matches the code."""

from django.core.management import call_command

from livestream.management.commands.socketschema import schema_text, socket_schema
from livestream.routing import LiveConsumer
from tests.docs.reading import document


def test_the_kept_schema_is_current():
    assert document("docs/socket-schema.json") == schema_text(), (
        "run: python manage.py socketschema --output docs/socket-schema.json"
    )


def test_the_command_prints_the_schema(capsys):
    call_command("socketschema")

    assert capsys.readouterr().out == schema_text()


def test_the_schema_has_every_operation():
    commands = socket_schema()["$defs"]["command"]["oneOf"]

    assert [one["$ref"].removeprefix("#/$defs/command.") for one in commands] == sorted(LiveConsumer.commands)


def test_chat_send_is_described_as_its_serializer_checks_it():
    sent = socket_schema()["$defs"]["command.chat.send"]["properties"]["data"]

    assert sent == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 2000},
            "client_id": {"type": "string", "minLength": 1, "maxLength": 64},
            "reply_to": {"type": ["string", "null"], "format": "uuid"},
            "message_type": {
                "type": "string",
                "enum": ["user_message", "system_message", "auction_update", "gift"],
            },
        },
        "required": ["text", "client_id"],
    }
