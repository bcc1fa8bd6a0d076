"""A media node's control API with scripted answers, which records its calls."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from media_node.grants import control_verify


class FakeNode:
    """`closed` are the deleted paths; `calls` all calls about people, in order."""

    def __init__(self):
        self.rooms = {}
        self.status = 200
        self.text = None
        self.closed = []
        self.calls = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def _answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _checked(self):
                token = self.headers["Authorization"].removeprefix("Bearer ")
                control_verify(token=token, secret="a secret that media node and web share in tests", node="local")

            def _noted(self, method):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
                if node.status == 200 and "/participants/" in self.path:
                    user, _, verb = self.path.partition("/participants/")[2].partition("/")
                    node.calls.append((user, f"{method} {verb}".strip(), body))

            def do_GET(self):
                self._checked()
                body = {"node": "local", "epoch": "e", "rooms": node.rooms}
                self._answer(node.status, (node.text or json.dumps(body)).encode())

            def do_POST(self):
                self._checked()
                self._noted("POST")
                self._answer(204 if node.status == 200 else node.status)

            def do_DELETE(self):
                self._checked()
                self._noted("DELETE")
                node.closed.append(self.path)
                self._answer(204 if node.status == 200 else node.status)

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def publishes(self, session, *others, connected=True):
        """Make the session's host publish media, and others too."""
        people = [session.host_id, *(user.pk for user in others)]
        publishers = [{"user": str(user_id), "connected": connected} for user_id in people]
        self.rooms = {str(session.pk): {"publishers": publishers, "subscribers": 0}}

    def about(self, user):
        """Return the calls about one person; mutes and roles by their value."""
        told = []
        for person, call, body in self.calls:
            if person == str(user.pk):
                match call:
                    case "POST mute":
                        told.append(f"{'mute' if body['muted'] else 'unmute'} {body['kind']}")
                    case "POST stage":
                        told.append(f"stage {body['stage']}".strip())
                    case other:
                        told.append(other)
        return told

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
