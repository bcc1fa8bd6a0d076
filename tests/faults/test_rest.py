"""The HTTP API under made-up requests: no internal error, and every answer matches the schema."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from tests import NIGHTLY
from tests.faults.storm import sized

EXAMPLES = sized(10, 300)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def document(live_small) -> dict[str, Any]:
    """The product's own description of its API."""
    return json.loads(live_small.anybody.get("/api/schema/?format=json").data)


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """Return all documented operations. Raises for one that cannot be parsed."""
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        yield found.ok()


def findings(operation, *, url: str, known: dict[str, str], access: str | None) -> tuple[list[int], list[str]]:
    """Call an operation with valid and invalid requests; return the statuses of the answers, and the findings.

    `known` are the ids of existing rows; every other request uses these instead of the generated ones.
    """
    statuses: list[int] = []
    wrong: dict[str, None] = {}
    session = requests.Session()
    if access is not None:
        session.headers["Authorization"] = f"Bearer {access}"

    @settings(
        max_examples=EXAMPLES,
        derandomize=not NIGHTLY,
        print_blob=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in MODES)), meant=st.booleans())
    def call(case: Any, meant: bool) -> None:
        if meant:
            case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        response = case.call(base_url=url, session=session, timeout=20)
        statuses.append(response.status_code)
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            wrong.update({f"{operation.label}: {response.status_code}: {one}": None for one in group.exceptions})

    call()
    return statuses, list(wrong)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "who",
    [
        pytest.param("nobody", marks=pytest.mark.nightly),
        "the host",
        pytest.param("a viewer", marks=pytest.mark.nightly),
    ],
)
def test_made_up_requests_get_answers_that_the_schema_describes(live_small, document, row, who):
    ben = live_small.person("ben")
    statuses: list[int] = []
    wrong: list[str] = []
    count = 0
    for operation in operations(document):
        count += 1
        ada = live_small.person("ada")  # a person may open only a limited number of shows
        access = {"nobody": None, "the host": ada.access, "a viewer": ben.access}[who]
        show = live_small.show(ada)
        ben.post(f"sessions/{show}/join/")
        said = ben.post(f"sessions/{show}/messages/", {"text": "hello", "client_id": f"c{count}"})
        asked = ben.post(f"sessions/{show}/guest-requests/", {})
        known = {"session_id": show, "user_id": ben.id}
        known |= {"message_id": said.data.get("id", show), "request_id": asked.data.get("id", show)}
        answered, found = findings(operation, url=live_small.url, known=known, access=access)
        statuses += answered
        wrong += found

    kinds = {f"{kind}xx": sum(status // 100 == kind for status in statuses) for kind in (2, 4, 5)}
    row(f"made-up requests to the API by {who}", operations=count, requests=len(statuses), wrong=len(wrong), **kinds)
    assert wrong == [], "\n".join(wrong)
    assert count > 40
    assert kinds["2xx"] > 0 and kinds["4xx"] > 0 and kinds["5xx"] == 0


def test_an_answer_that_the_schema_does_not_describe_is_found(live_small, document):
    wrong = copy.deepcopy(document)
    wrong["components"]["schemas"]["Session"]["properties"]["title"] = {"type": "integer"}
    known = {"session_id": live_small.show(live_small.person("ada"))}

    (read,) = (one for one in operations(wrong) if one.label == "GET /api/v1/sessions/{session_id}/")
    statuses, found = findings(read, url=live_small.url, known=known, access=None)

    assert 200 in statuses
    assert len(found) == 1
    assert 'is not of type "integer"' in found[0]
