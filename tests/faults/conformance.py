"""Requirements of RFC 6455 for servers, as bytes to send and the expected answer. Sections are numbered as in
Autobahn."""

import struct
from dataclasses import dataclass

from tests.faults.raw import frame

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
SAID = "Hello-µ@ßöäüàá-κόσμε-😀".encode()
Heard = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Case:
    """`hears` are the frames that must come, `code` the close that must follow; None: the socket stays open.

    Where a close follows, a server that has seen it need not answer earlier frames. `pieces` is the number of bytes
    sent at once; 0: all of them.
    """

    name: str
    sends: bytes
    hears: Heard = ()
    code: int | None = None
    pieces: int = 0


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


def fragments(opcode: int, payload: bytes, size: int, between: bytes = b"") -> bytes:
    """A message in frames of a size; `between` goes between any two."""
    parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    frames = [
        frame(opcode if place == 0 else CONT, part, fin=place == len(parts) - 1) for place, part in enumerate(parts)
    ]
    return between.join(frames)


def _framing() -> list[Case]:
    cases = []
    for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
        for size in (0, 1, 125, 126, 127, 128, 65535, 65536):
            payload = b"*" * size
            cases.append(Case(f"1 {kind} of {size}", frame(opcode, payload), ((opcode, payload),)))
        payload = b"*" * 65536
        cases.append(Case(f"1 {kind} in pieces of 997", frame(opcode, payload), ((opcode, payload),), pieces=997))
    return cases


def _pings() -> list[Case]:
    after = frame(TEXT, b"after")
    return [
        *(
            Case(f"2 ping of {len(payload)}", frame(PING, payload), ((PONG, payload),))
            for payload in (b"", b"Hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125)
        ),
        Case("2 ping of 126", frame(PING, b"\xfe" * 126), code=1002),
        Case("2 ping byte by byte", frame(PING, b"\xfe" * 125), ((PONG, b"\xfe" * 125),), pieces=1),
        Case("2 pong nobody asked for", frame(PONG, b"unasked") + after, ((TEXT, b"after"),)),
        Case("2 pong, then ping", frame(PONG) + frame(PING, b"x"), ((PONG, b"x"),)),
        Case(
            "2 ten pings",
            b"".join(frame(PING, b"%d" % number) for number in range(10)),
            tuple((PONG, b"%d" % number) for number in range(10)),
        ),
    ]


def _reserved() -> list[Case]:
    bits = [Case(f"3 reserved bits {rsv:03b}", frame(TEXT, b"x", rsv=rsv), code=1002) for rsv in range(1, 8)]
    said = frame(TEXT, b"x")
    bits += [
        Case("3 reserved bit after a message", said + frame(TEXT, b"y", rsv=2), ((TEXT, b"x"),), 1002),
        Case("3 reserved bit on a ping", frame(PING, b"y", rsv=1), code=1002),
        Case("3 reserved bit on a close", frame(CLOSE, b"\x03\xe8", rsv=4), code=1002),
    ]
    opcodes = [
        Case(f"4 opcode {opcode}", frame(opcode, payload), code=1002)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        for payload in ((b"", b"x") if opcode in (3, 11) else (b"x",))
    ]
    return bits + opcodes


def _fragments() -> list[Case]:
    ping = frame(PING, b"p")
    return [
        Case("5 ping in pieces", frame(PING, b"a", fin=False) + frame(CONT, b"b"), code=1002),
        Case("5 pong in pieces", frame(PONG, b"a", fin=False) + frame(CONT, b"b"), code=1002),
        Case("5 text in two", fragments(TEXT, b"fragment", 4), ((TEXT, b"fragment"),)),
        Case("5 binary in two", fragments(BINARY, b"fragment", 4), ((BINARY, b"fragment"),)),
        Case("5 text in two, byte by byte", fragments(TEXT, b"fragment", 4), ((TEXT, b"fragment"),), pieces=1),
        Case("5 a ping within a text", fragments(TEXT, b"fragment", 4, ping), ((PONG, b"p"), (TEXT, b"fragment"))),
        Case(
            "5 pings within a text in eight",
            fragments(TEXT, b"fragment", 1, ping),
            ((PONG, b"p"),) * 7 + ((TEXT, b"fragment"),),
        ),
        Case("5 empty last piece", frame(TEXT, b"x", fin=False) + frame(CONT, b""), ((TEXT, b"x"),)),
        Case("5 continuation of nothing", frame(CONT, b"x"), code=1002),
        Case("5 unfinished continuation of nothing", frame(CONT, b"x", fin=False), code=1002),
        Case("5 continuation after a whole text", frame(TEXT, b"x") + frame(CONT, b"y"), ((TEXT, b"x"),), 1002),
        Case("5 text within a text", frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), code=1002),
        Case("5 binary within a text", frame(TEXT, b"x", fin=False) + frame(BINARY, b"y"), code=1002),
    ]


BAD_UTF8 = {
    "overlong": b"\xc0\xaf",
    "overlong of three": b"\xe0\x80\xaf",
    "overlong of four": b"\xf0\x80\x80\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a lone continuation": b"\x80",
    "no end": "κ".encode()[:1],
    "no middle": b"\xe2\x28\xa1",
    "FE and FF": b"\xfe\xff",
}


def _utf8() -> list[Case]:
    cases = [
        Case("6 text", frame(TEXT, SAID), ((TEXT, SAID),)),
        Case("6 text cut within characters", fragments(TEXT, SAID, 1), ((TEXT, SAID),)),
        Case("6 text in threes", fragments(TEXT, SAID, 3), ((TEXT, SAID),)),
        *(
            Case(f"6 U+{ord(one):04X}", frame(TEXT, one.encode()), ((TEXT, one.encode()),))
            for one in "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffd\ufffe\uffff\U00010000\U0010ffff"
        ),
    ]
    for name, payload in BAD_UTF8.items():
        cases.append(Case(f"6 {name}", frame(TEXT, b"ok " + payload), code=1007))
    cases.append(Case("6 overlong in pieces", fragments(TEXT, SAID + b"\xc0\xaf" + SAID, 7), code=1007))
    return cases


def _closes() -> list[Case]:
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    bad = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)
    return [
        *(Case(f"7 close {code}", closing(code), code=code) for code in good),
        *(Case(f"7 close {code}, which nobody may send", closing(code), code=1002) for code in bad),
        Case("7 close without a code", frame(CLOSE), code=1005),
        Case("7 close with a reason", closing(1000, b"r" * 123), code=1000),
        Case("7 close with too long a reason", closing(1000, b"r" * 124), code=1002),
        Case("7 close with half a code", frame(CLOSE, b"\x03"), code=1002),
        Case("7 close with a reason that is no text", closing(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80"), code=1007),
        Case("7 text after close", closing(1000) + frame(TEXT, b"late"), code=1000),
        Case("7 ping after close", closing(1000) + frame(PING), code=1000),
        Case("7 two closes", closing(1000) + closing(1001), code=1000),
        Case("7 text before close", frame(TEXT, b"x") + closing(1000), ((TEXT, b"x"),), 1000),
    ]


def _automatic() -> list[Case]:
    payload = b"*" * 65536
    return [Case("10 64 KiB in pieces of 1300", fragments(TEXT, payload, 1300), ((TEXT, payload),))]


CASES = [*_framing(), *_pings(), *_reserved(), *_fragments(), *_utf8(), *_closes(), *_automatic()]
