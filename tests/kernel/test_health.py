"""Liveness, readiness, and access to the metrics."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.db import connection, transaction


class Node(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def node(settings):
    server = HTTPServer(("127.0.0.1", 0), type("ThisNode", (Node,), {}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.MEDIA_URL_INTERNAL = f"http://127.0.0.1:{server.server_port}"
    yield server.RequestHandlerClass
    server.shutdown()
    server.server_close()


def test_a_process_that_answers_is_alive(client):
    answer = client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_process_whose_stores_answer_is_ready(client, db, node):
    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "cache": "ok", "media": "ok"}, "down": []}


@pytest.mark.parametrize("how", ["gone", "failing"])
def test_a_media_node_that_is_down_is_named(client, db, node, settings, how):
    if how == "gone":
        settings.MEDIA_URL_INTERNAL = "http://127.0.0.1:9"
    node.status = 500

    answer = client.get("/health/ready")

    assert (answer.status_code, answer.json()["down"]) == (503, ["media"])


def test_a_redis_that_is_down_is_named(client, db, node, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": settings.REDIS_URL}
    }

    answer = client.get("/health/ready")

    assert (answer.status_code, answer.json()["down"]) == (503, ["redis"])
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def test_a_database_without_its_tables_is_named_without_its_secrets(client, db, node):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
        answer = client.get("/health/ready")
        transaction.set_rollback(True)

    assert (answer.status_code, answer.json()["down"]) == (503, ["database"])
    assert "django_migrations" not in answer.content.decode()


@pytest.mark.parametrize(
    ("address", "headers", "seen"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("203.0.113.7", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}, False),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.7"}, False),
        ("203.0.113.7", {"Authorization": "Bearer the token"}, True),
        ("203.0.113.7", {"Authorization": "Bearer the tokem"}, False),
        ("203.0.113.7", {"Authorization": "the token"}, False),
    ],
)
def test_the_numbers_are_for_this_machine_and_for_who_knows_the_token(client, settings, address, headers, seen):
    settings.METRICS_TOKEN = "the token"

    answer = client.get("/metrics", headers=headers, REMOTE_ADDR=address)

    assert answer.status_code == (200 if seen else 403)
    assert (b"livestream_sockets" in answer.content) == seen


def test_without_a_token_no_bearer_is_let_in(client, settings):
    settings.METRICS_TOKEN = ""

    for header in ("Bearer ", "Bearer", ""):
        answer = client.get("/metrics", headers={"Authorization": header}, REMOTE_ADDR="203.0.113.7")
        assert answer.status_code == 403
