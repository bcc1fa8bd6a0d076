"""A secret created once and kept in a file, so that a fresh checkout runs and log-ins survive restarts."""

import os
import secrets
import time
from pathlib import Path

WRITTEN_WITHIN_SECONDS = 1.0


def persistent_secret(path: Path) -> str:
    """Return the secret in the file, created on first use. Safe when several processes start at once."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
    give_up_at = time.monotonic() + WRITTEN_WITHIN_SECONDS
    while not (value := path.read_text().strip()):  # another process has created the file and is about to write
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"{path} is empty; delete it and start again, or set SECRET_KEY")
        time.sleep(0.02)
    return value
