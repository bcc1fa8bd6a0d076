"""What a text that others read may be made of: nothing that deceives, reorders or stacks up. Rendered as text only."""

import unicodedata

from livestream.errors import Invalid

MAX_COMBINING = 8
# They show nothing, though Unicode does not count them as spaces: fillers, the empty Braille pattern, variations.
_BLANK = frozenset([0x034F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)])
# Bidirectional overrides and isolates, invisible fillers, byte order mark, tag characters.
_DROPPED = frozenset(
    [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0xE0000, 0xE0080)]
)


def cleaned(text: str) -> str:
    """The text as it is stored: NFC, no controls, no invisible or reordering characters, few combining marks.

    Cleaning a clean text changes nothing. Raises Invalid for what is no Unicode text.
    """
    if text.isascii() and text.isprintable():
        return text.strip()  # nothing of what is looked for below is in there, and most texts are like that
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("text.invalid", "The text contains invalid characters.") from None
    # Normalised after the invisible ones are gone: they may stand between a letter and its mark.
    return _few_marks(unicodedata.normalize("NFC", _visible(text))).strip()


def shows(text: str) -> bool:
    """Whether anything of a text can be seen."""
    return any(map(_shows, text))


def _visible(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(
        character
        for character in text
        if character == "\n" or (unicodedata.category(character) != "Cc" and ord(character) not in _DROPPED)
    )


def _shows(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and ord(character) not in _BLANK


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
