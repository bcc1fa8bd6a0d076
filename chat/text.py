"""What a chat message may be made of."""

from livestream.errors import Invalid
from livestream.text import cleaned, shows

MAX_CHARACTERS = 500
MAX_BYTES = 2000


def text_clean(text: str) -> str:
    """The text as it is stored. Raises Invalid for a text that is empty when it is clean, too long, or no text."""
    if len(text) > 4 * MAX_CHARACTERS:
        raise _too_long()
    result = cleaned(text)
    if not shows(result):
        raise Invalid("chat.empty", "Write a message first.")
    if len(result) > MAX_CHARACTERS or len(result.encode()) > MAX_BYTES:
        raise _too_long()
    return result


def _too_long() -> Invalid:
    return Invalid("chat.too_long", f"Use at most {MAX_CHARACTERS} characters.")
