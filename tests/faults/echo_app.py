"""An ASGI application that echoes messages: the servers' own WebSocket code, without any code of ours."""

from typing import Any


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Echo every message of a socket."""
    if scope["type"] == "lifespan":
        while (event := await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            kind = "text" if event.get("text") is not None else "bytes"
            await send({"type": "websocket.send", kind: event[kind]})
