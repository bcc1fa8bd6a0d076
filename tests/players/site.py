"""A small web server with the product's own modules and content policy, and test pages around them."""

import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from csp.utils import build_policy

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "static"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>player</title></head>
<body><video playsinline muted width="320" height="240"></video>
<script type="application/json" id="sdk-data">{sdks}</script>
<script src="/standins/strict.js"></script>
<script type="module" src="/pages/harness.js"></script>
<script type="module" src="/pages/stage.js"></script></body></html>"""


class Site:
    """`sdks` maps names to addresses for the page; `folders` maps address prefixes to folders."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = {"/static/": STATIC, "/pages/": HERE / "pages", "/standins/": HERE / "standins", **folders}
        self.sources: dict[str, list[str]] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        self.passes: list[tuple[str, str]] = []  # requested roles, and the bearer token sent with each
        self.url = ""

    @property
    def policy(self) -> str:
        """Return the product's policy, plus the hosts of the providers that are turned on."""
        update: dict[str, Any] = dict(self.sources)
        return str(build_policy(update=update))

    def page(self, sdks: dict[str, str]) -> str:
        """Return the address of a page that has these SDKs."""
        return f"{self.url}/?sdks={json.dumps(sdks)}"

    def answer(self, address: str) -> tuple[int, str, bytes]:
        """Return status, type and body for an address."""
        parts = urlsplit(address)
        self.asked.append(parts.path)
        if parts.path in self.status:
            return self.status[parts.path], "text/plain", b""
        if parts.path == "/":
            sdks = parse_qs(parts.query).get("sdks", ["{}"])[0].replace("<", "")
            return 200, "text/html; charset=utf-8", PAGE.format(sdks=sdks).encode()
        for prefix, folder in self.folders.items():
            file = folder / parts.path.removeprefix(prefix)
            if parts.path.startswith(prefix) and file.is_file() and folder in file.parents:
                return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()
        return 404, "text/plain", b""


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Run the site on a free port for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.passes.append((urlsplit(self.path).path, self.headers.get("Authorization", "")))
            status, kind, body = site.answer(self.path)
            self.send_response(status)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", site.policy)
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Tests read `asked` instead."""

    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("application/vnd.apple.mpegurl", ".m3u8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
