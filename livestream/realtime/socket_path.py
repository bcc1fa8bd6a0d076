"""The address of a room's socket."""

import re
from typing import Any
from uuid import UUID

ROOM = re.compile(r"/ws/live/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")


def room_of(scope: dict[str, Any]) -> UUID | None:
    """Return the session in a socket's address, or None for any other address."""
    root: str = scope.get("root_path") or ""
    path: str = scope.get("path") or ""
    found = ROOM.fullmatch(path.removeprefix(root))
    return UUID(found[1]) if found else None
