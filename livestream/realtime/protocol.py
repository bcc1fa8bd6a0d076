"""The room socket's wire format: documents, commands, replies, close codes. Described in docs/protocol.md."""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn

from livestream.errors import DomainError, Invalid

MAX_COMMANDS_PER_FRAME = 20
MAX_REF_LENGTH = 64


class CloseCode(IntEnum):
    """Close codes of the server. 40xx: reconnect now; 41xx: reconnect after a delay; 44xx: do not reconnect."""

    UNSUPPORTED = 1003
    TOO_BIG = 1009
    RESTARTING = 4000
    TOO_SLOW = 4001
    POSITION_LOST = 4002
    OVERLOADED = 4100
    NOT_SIGNED_IN = 4401
    NOT_ALLOWED = 4403
    NO_SUCH_SESSION = 4404
    SESSION_ENDED = 4410
    FLOODING = 4429


@dataclass(frozen=True, slots=True)
class Command:
    """A client's command. `ref` is the client's name for the request, repeated in the reply."""

    ref: str | None
    op: str
    data: dict[str, Any]


class FrameError(Invalid):
    """A frame without a valid command. `ref` is kept if it could be parsed, so that the client can match the reply."""

    def __init__(self, code: str, message: str, ref: str | None = None) -> None:
        super().__init__(code, message)
        self.ref = ref


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return result


# Created once: creating them for each document costs as much as encoding a small document.
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_decoder = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_no_duplicates)


def encode(document: dict[str, Any]) -> str:
    """Encode one document for the wire. The result contains no newline."""
    return _encoder.encode(document)


def parse_command(line: str) -> Command:
    """Parse the command in one line of a client's frame. Raises only FrameError."""
    try:
        document = _decoder.decode(line)
    except (ValueError, RecursionError):
        raise FrameError("frame.bad_json", "That was not JSON.") from None
    if not isinstance(document, dict):
        raise FrameError("frame.bad_shape", "Send an object with id, op and data.")
    ref, op, data = document.get("id"), document.get("op"), document.get("data", {})
    if ref is not None and (not isinstance(ref, str) or len(ref) > MAX_REF_LENGTH or not ref.isprintable()):
        raise FrameError("frame.bad_shape", f"id is a text of at most {MAX_REF_LENGTH} characters.")
    if not isinstance(op, str) or len(op) > 64:
        raise FrameError("frame.bad_shape", "op is the name of an operation.", ref)
    if not isinstance(data, dict):
        raise FrameError("frame.bad_shape", "data is an object.", ref)
    return Command(ref=ref, op=op, data=data)


def reply_ok(ref: str | None, data: dict[str, Any]) -> str:
    """Return the reply to a successful command."""
    return encode({"re": ref, "ok": True, "data": data})


def reply_error(ref: str | None, error: DomainError) -> str:
    """Return the reply to a failed command."""
    return encode({"re": ref, "ok": False, "error": error.as_dict()})
