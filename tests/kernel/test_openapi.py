"""The OpenAPI schema is valid, and real answers of the API match it."""

import json
import re
from functools import cache as remembered

import jsonschema
import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from livestream.actors import actor_of
from streams.services.show.posters import session_poster_set
from tests.cast import let_in, make_show
from tests.streams.test_posters import picture


@remembered
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def resolved(node):
    """Convert OpenAPI 3.0's nullable and $ref to JSON Schema; objects allow only their named properties."""
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return resolved(schema()["components"]["schemas"][name])
    result = {key: resolved(value) for key, value in node.items() if key not in ("nullable", "readOnly", "writeOnly")}
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    return {"anyOf": [result, {"type": "null"}]} if node.get("nullable") else result


def assert_fits(operation_id, answer):
    for path in schema()["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and operation.get("operationId") == operation_id:
                described = operation["responses"].get(str(answer.status_code))
                assert described, f"{operation_id} does not describe {answer.status_code}"
                content = described.get("content", {}).get("application/json")
                if content is None:
                    assert answer.content == b""
                else:
                    jsonschema.validate(
                        answer.json(), resolved(content["schema"]), format_checker=jsonschema.FormatChecker()
                    )
                return
    raise AssertionError(f"there is no operation {operation_id}")


def test_the_schema_is_valid():
    validate_schema(schema())


@pytest.mark.parametrize("query", ["", "?format=json"])
def test_the_schema_is_made_once_and_a_caller_who_has_it_is_told_so(client, db, monkeypatch, query):
    first = client.get(f"/api/schema/{query}")
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)  # not called again
    second = client.get(f"/api/schema/{query}")
    known = client.get(f"/api/schema/{query}", headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, second.status_code, known.status_code) == (200, 200, 304)
    assert first.content == second.content
    assert b"session_poster_set" in first.content
    assert (
        first["Content-Type"]
        == ("application/vnd.oai.openapi+json" if query else "application/vnd.oai.openapi") + "; charset=utf-8"
    )
    assert known.content == b""


def test_the_schema_is_served_with_pages_to_read_it(client, db):
    assert client.get("/api/schema/").status_code == 200
    assert client.get("/api/docs/").status_code == 200


def test_every_address_of_the_api_is_in_the_schema():
    from django.urls import get_resolver

    def addresses(patterns, prefix=""):
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from addresses(pattern.url_patterns, prefix + str(pattern.pattern))
            else:
                yield prefix + str(pattern.pattern)

    api = {
        "/" + address.replace("<uuid:", "{").replace(">", "}")
        for address in addresses(get_resolver().url_patterns)
        if re.match(r"api/(v1|agora)/|live/[a-z-]+$", address) and "(?P" not in address
    }

    assert api == set(schema()["paths"])


def test_operations_have_names_of_their_own():
    names = [
        operation["operationId"]
        for path in schema()["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("state", ["initializing", "active", "paused", "ended", "error"])
def test_sessions_in_every_state_fit(api, ada, state):
    session = make_show(ada, state=state, auction_id="lot-7", description="Old ones")
    session_poster = make_show(ada)
    session_poster_set(session_id=session_poster.pk, actor=actor_of(ada), picture=picture())
    url = f"/api/v1/sessions/{session.pk}/"

    assert_fits("session_read", api().get(url))
    assert_fits("session_read", api().get(f"/api/v1/sessions/{session_poster.pk}/"))
    assert_fits("session_list", api().get("/api/v1/sessions/?limit=1"))
    assert_fits("session_change", api(ada).patch(url, {"title": "Cups"}, format="json"))
    assert_fits("session_participants", api().get(f"{url}participants/"))


@pytest.mark.django_db(transaction=True)
def test_what_people_do_in_a_session_fits(api, ada, ben, eve):
    made = api(ada).post("/api/v1/sessions/", {"title": "Vases"}, format="json")
    url = f"/api/v1/sessions/{made.json()['id']}/"
    assert_fits("session_create", made)
    assert_fits("session_create", api(ada).post("/api/v1/sessions/", {}, format="json"))
    assert_fits("session_join", api(ben).post(f"{url}join/"))
    said = api(ben).post(f"{url}messages/", {"text": "x", "client_id": "1"}, format="json")
    assert_fits("message_post", said)
    assert_fits("message_list", api().get(f"{url}messages/"))
    assert_fits("message_read", api(ben).post(f"{url}read/", {"seq": 1}, format="json"))
    assert_fits("message_remove", api(eve).delete(f"{url}messages/{said.json()['id']}/"))
    assert_fits("message_remove", api(ben).delete(f"{url}messages/{said.json()['id']}/"))
    assert_fits("message_list", api().get(f"{url}messages/"))
    for user in (ada, ben):
        assert_fits("session_token", api(user).post(f"{url}token/", {}, format="json"))
    assert_fits("session_leave", api(ben).post(f"{url}leave/"))
    missing = "/api/v1/sessions/00000000-0000-4000-8000-000000000000/"
    assert_fits("session_read", api().get(missing))
    assert_fits("message_list", api().get(f"{missing}messages/"))


def test_the_steps_of_a_session_fit(api, ada, ben):
    session = make_show(ada, state="initializing")
    let_in(session, ben)
    operations = {
        path.rstrip("/").rpartition("/")[2]: operations["post"]["operationId"]
        for path, operations in schema()["paths"].items()
        if path.endswith(("/start/", "/pause/", "/resume/", "/end/"))
    }
    for step in ("pause", "start", "pause", "resume", "end", "start"):
        assert_fits(operations[step], api(ada).post(f"/api/v1/sessions/{session.pk}/{step}/"))
        assert_fits(operations[step], api(ben).post(f"/api/v1/sessions/{session.pk}/{step}/"))


def test_the_schema_is_json_all_the_way_down():
    json.dumps(schema(), default=str)
