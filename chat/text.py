"""Rules for the text of chat messages."""

from livestream.errors import Invalid
from livestream.text import cleaned, shows

MAX_CHARACTERS = 500
MAX_BYTES = 2000


def text_clean(text: str) -> str:
    """Return the text for storage. Raises Invalid if it is empty once cleaned, too long, or not valid Unicode."""
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
