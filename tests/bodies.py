"""Bodies that every endpoint must refuse without failing."""

import json

from livestream.retry_policy import category_of

LONE_SURROGATE = b'{"title": "\\ud800", "text": "\\ud800", "client_id": "\\udfff", "role": "\\ud800", "seq": 1}'
NUL = b'{"title": "a\\u0000b", "text": "a\\u0000b", "client_id": "a\\u0000b", "role": "\\u0000", "seq": "\\u0000"}'

BAD_BODIES = {
    "no JSON": b"{",
    "an array": b"[]",
    "null": b"null",
    "a number": b"1",
    "a text": b'"title"',
    "NaN": b'{"title": NaN, "text": NaN, "client_id": NaN, "role": NaN, "seq": NaN}',
    "Infinity": b'{"title": Infinity, "text": Infinity, "client_id": Infinity, "role": Infinity, "seq": Infinity}',
    "not UTF-8": b'{"title": "\xff\xfe", "text": "\xff", "client_id": "\xff", "role": "\xff", "seq": "\xff"}',
    "a lone surrogate": LONE_SURROGATE,
    "a NUL": NUL,
    "too deep": b'{"title": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a huge number": b'{"seq": 1' + b"0" * 5000 + b', "title": 1' + b"0" * 5000 + b"}",
    "lists for texts": b'{"title": ["a"], "text": ["a"], "client_id": ["a"], "role": ["publisher"], "seq": [1]}',
    "objects for texts": b'{"title": {"a": 1}, "text": {}, "client_id": {}, "role": {"a": 1}, "seq": {}}',
    "truth for texts": b'{"title": true, "text": true, "client_id": true, "role": true, "seq": "true"}',
    "nothing for texts": b'{"title": null, "text": null, "client_id": null, "role": null, "seq": null}',
}

OVERSIZED = json.dumps({"title": "x" * (256 * 1024), "text": "x", "client_id": "x", "role": "publisher"}).encode()


def assert_error(answer, status, code):
    """Assert the documented error format: these names, of these types, and nothing else."""
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/json"
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert error["code"] == code, error
    assert isinstance(error["message"], str) and error["message"]
    assert set(error) <= {"code", "message", "category", "retry_after", "fields"}
    assert error["category"] == category_of(code)
    if "retry_after" in error:
        assert int(answer["Retry-After"]) >= 1
