"""Sanitizing of text that others read: no deceptive, reordering or stacking characters. Rendered as text only."""

import re
import unicodedata

from livestream.errors import Invalid

MAX_COMBINING = 8
MAX_LINES = 30
# Invisible characters that Unicode does not classify as spaces: fillers, the empty Braille pattern, variations.
_BLANK = frozenset([0x034F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)])
# Bidirectional overrides and isolates, invisible fillers, byte order mark, annotations, tag characters, noncharacters.
_DROPPED = frozenset(
    [
        *(0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A)),
        *(*range(0xFDD0, 0xFDF0), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)),
        *(plane * 0x10000 + last for plane in range(17) for last in (0xFFFE, 0xFFFF)),
    ]
)
_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029]")


def cleaned(text: str) -> str:
    """Return the text for storage: NFC, no controls, no invisible or reordering characters, few combining marks.

    No two empty lines in a row, and MAX_LINES lines at most: further ones are joined to the last. Idempotent. Raises
    Invalid if it is not valid Unicode.
    """
    if text.isascii() and text.isprintable():
        return text.strip()  # most texts are like that, and contain nothing to remove
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("text.invalid", "The text contains invalid characters.") from None
    # Normalise after removing invisible characters, which may stand between a letter and its mark.
    return _few_lines(_few_marks(unicodedata.normalize("NFC", _visible(text))).strip())


def shows(text: str) -> bool:
    """Return whether a text has visible characters."""
    return any(map(_shows, text))


def _visible(text: str) -> str:
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ")
    return "".join(
        character
        for character in text
        if character == "\n" or (unicodedata.category(character) != "Cc" and ord(character) not in _DROPPED)
    )


def _shows(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and ord(character) not in _BLANK


def _few_lines(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        if shows(line):
            lines.append(line)
        elif lines and lines[-1]:
            lines.append("")
    further = filter(None, lines[MAX_LINES - 1 :])
    return "\n".join([*lines[: MAX_LINES - 1], " ".join(further)]).strip()


def _few_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
        elif category != "Cf":  # a joiner between two marks is no new letter
            marks = 0
        if marks <= MAX_COMBINING or category == "Cf":
            kept.append(character)
    return "".join(kept)
