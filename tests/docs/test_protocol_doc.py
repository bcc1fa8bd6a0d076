"""docs/protocol.md lists everything that a client can encounter, and nothing else."""

import re

from drf_spectacular.generators import SchemaGenerator

from livestream.management.commands.socketschema import event_types
from livestream.realtime.protocol import CloseCode
from livestream.routing import LiveConsumer
from tests.docs.reading import codes_in_the_code, document, quoted, section, table_rows

PROTOCOL = document("docs/protocol.md")
# Made from the name of the framework's exception, see `livestream.rest.as_domain_error`.
FRAMEWORK = {"invalid.method_not_allowed": 405, "invalid.not_acceptable": 406, "invalid.unsupported_media_type": 415}


def test_every_error_code_is_listed_with_its_statuses():
    raised = codes_in_the_code()
    for code, status in FRAMEWORK.items():
        raised[code].add(status)

    listed = {row[0].strip("`"): {int(status) for status in re.findall(r"\d{3}", row[1])} for row in _error_rows()}

    assert sorted(listed) == sorted(raised)
    assert {code: raised[code] - listed[code] for code in raised if raised[code] - listed[code]} == {}


def test_every_socket_operation_is_listed():
    listed = [quoted(row[0])[0].split(" ")[0] for row in table_rows(section(PROTOCOL, "Operations"))]

    assert sorted(listed) == sorted(LiveConsumer.commands)


def test_every_event_is_listed():
    listed = [name for row in table_rows(section(PROTOCOL, "Events")) for name in quoted(row[0])]

    assert sorted(listed) == event_types()


def test_every_close_code_is_listed():
    listed = {int(quoted(row[0])[0]) for row in table_rows(section(PROTOCOL, "Close codes"))}

    assert listed == {int(code) for code in CloseCode}


def test_every_address_of_the_api_is_listed():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    there = {
        f"{method.upper()} {_short(path)}" for path, methods in paths.items() for method in methods if method.islower()
    }

    told = re.findall(
        r"`((?:GET|POST|PATCH|DELETE) /(?:api/(?:v1|agora)|live)/[^ `?]*)", section(PROTOCOL, "Addresses")
    )

    assert sorted(set(told)) == sorted(there)


def _short(path: str) -> str:
    for name, short in (
        ("session_id", "id"),
        ("message_id", "message"),
        ("request_id", "request"),
        ("user_id", "user"),
    ):
        path = path.replace(f"{{{name}}}", f"{{{short}}}")
    return path


def _error_rows() -> list[list[str]]:
    return table_rows(section(PROTOCOL, "Error codes"))
