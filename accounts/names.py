"""Rules for names: no invisible characters, and no claim to an office.

A name is shown inside other people's pages. It must not reorder their text, stack marks over their lines, or look like
a statement of the platform.
"""

import re
import unicodedata

from livestream.errors import Invalid

DISPLAY_NAME_LENGTH = 50
DISPLAY_NAME_BYTES = 200
MARKS_PER_BASE = 2

RESERVED = frozenset(
    [
        "admin",
        "administrator",
        "administration",
        "host",
        "livestream",
        "mod",
        "moderation",
        "moderator",
        "mods",
        "none",
        "null",
        "official",
        "operator",
        "owner",
        "platform",
        "root",
        "staff",
        "superuser",
        "support",
        "system",
        "team",
        "undefined",
        "webmaster",
    ]
)

ZERO_WIDTH_JOINERS = "\u200c\u200d"
# Blank characters that Unicode classifies as letters or symbols: Hangul fillers, the empty Braille cell.
BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co"})
# Letters of other scripts, and digits, that look like Latin letters.
LOOK_ALIKES = str.maketrans(
    "аеоорсухіјѕкмтнвԁӏɩαορτνικехυ01345|7!$@ⅼ",
    "aeoopcyxijskmthbdliaoptvikexuoleasltlsal",
)


def clean_display_name(text: str) -> str:
    """Return the name for storage: NFC, one line, nothing invisible, at most two marks per letter.

    Idempotent. May be empty. Raises Invalid for text that is not valid Unicode, or too long.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("name.invalid", "That name contains invalid characters.") from None
    if len(text) > DISPLAY_NAME_LENGTH * 8:
        raise _too_long()
    cleaned = text
    # After dropping characters, the rest may compose into new ones. It settles after a round or two.
    while (again := _clean_once(cleaned)) != cleaned:
        cleaned = again
    if len(cleaned) > DISPLAY_NAME_LENGTH or len(cleaned.encode()) > DISPLAY_NAME_BYTES:
        raise _too_long()
    return cleaned


def _too_long() -> Invalid:
    return Invalid("name.too_long", f"Use at most {DISPLAY_NAME_LENGTH} characters.")


def _clean_once(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if char.isspace() else char for char in text)
    visible = "".join(char for index, char in enumerate(spaced) if _is_kept(spaced, index))
    return " ".join(_limit_marks(visible).split())


def _is_kept(text: str, index: int) -> bool:
    char = text[index]
    if char in ZERO_WIDTH_JOINERS:
        return 0 < index < len(text) - 1 and _joins(text[index - 1], text[index + 1])
    return char not in BLANKS and unicodedata.category(char) not in DROPPED_CATEGORIES


def _joins(before: str, after: str) -> bool:
    """Return whether a joiner is meaningful between these: parts of an emoji, or letters of a joining script."""
    emoji = ("So", "Sk", "Mn")
    if unicodedata.category(before) in emoji and unicodedata.category(after) == "So":
        return True
    return all("\u0600" <= char <= "\u0dff" and unicodedata.category(char)[0] in "LM" for char in (before, after))


def _limit_marks(text: str) -> str:
    kept, marks = [], MARKS_PER_BASE  # a mark without a letter before it is dropped
    for char in text:
        if unicodedata.category(char) in ("Mn", "Me"):
            marks += 1
        else:
            marks = MARKS_PER_BASE if char == " " else 0
        if marks <= MARKS_PER_BASE:
            kept.append(char)
    return "".join(kept)


def is_reserved(name: str) -> bool:
    """Return whether a name claims to be the platform or its staff, even if spelled with look-alikes."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(char for char in decomposed if unicodedata.category(char)[0] not in "MC")
    without_number = re.sub(r"\d+\Z", "", bare)
    words = [word for word in re.split(r"[\s._-]+", without_number) if word]
    if words and all(_skeleton(word) in _RESERVED_SKELETONS for word in words):
        return True
    return any(_skeleton(form) in _RESERVED_SKELETONS for form in (bare, without_number))


def _skeleton(name: str) -> str:
    folded = name.translate(LOOK_ALIKES).replace("i", "l")
    return "".join(char for char in folded if char.isalnum())


_RESERVED_SKELETONS = frozenset(_skeleton(word) for word in RESERVED)
