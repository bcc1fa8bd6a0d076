"""What a chat text may be made of. Stored raw, cleaned of what deceives or breaks; rendered as text nodes only."""

import unicodedata

from livestream.errors import Invalid

MAX_CHARACTERS = 500
MAX_BYTES = 2000
MAX_COMBINING = 8
_JOINERS = "\u200c\u200d"
# Bidirectional overrides and isolates, invisible fillers, byte order mark, tag characters.
_DROPPED = frozenset(
    [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0xE0000, 0xE0080)]
)


def text_clean(text: str) -> str:
    """The text as it is stored: NFC, no controls, no invisible or reordering characters, few combining marks.

    Raises Invalid for a text that is empty then, or too long.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("chat.bad_text", "The text holds characters that do not exist.") from None
    if len(text) > 4 * MAX_CHARACTERS:
        raise _too_long()
    cleaned = _few_marks(_visible(unicodedata.normalize("NFC", text))).strip()
    if not cleaned.strip(_JOINERS):
        raise Invalid("chat.empty", "Write something first.")
    if len(cleaned) > MAX_CHARACTERS or len(cleaned.encode()) > MAX_BYTES:
        raise _too_long()
    return cleaned


def _too_long() -> Invalid:
    return Invalid("chat.too_long", f"A message has at most {MAX_CHARACTERS} characters.")


def _visible(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(
        character
        for character in text
        if character == "\n" or (unicodedata.category(character) != "Cc" and ord(character) not in _DROPPED)
    )


def _few_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_COMBINING:
            kept.append(character)
    return "".join(kept)
