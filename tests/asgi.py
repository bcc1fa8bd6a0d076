"""One request to an ASGI application, as a server would pass it."""

import asyncio


async def answer_of(serve, path, *, method="GET", host="testserver", body=b"", **more):
    """Return status, headers and body."""
    sent, asked = [], iter([{"type": "http.request", "body": body, "more_body": False}])
    given = {"host": host, "content-type": "application/json", **more}
    headers = [(name.encode(), value.encode()) for name, value in given.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }

    async def receive():
        return next(asked, None) or await asyncio.Future()

    async def send(event):
        sent.append(event)

    await serve(scope, receive, send)
    content = b"".join(event.get("body", b"") for event in sent)
    return sent[0]["status"], [(name.lower(), value) for name, value in sent[0]["headers"]], content
