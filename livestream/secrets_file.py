"""A secret that is made once and kept in a file, so that a fresh checkout runs and restarts keep their sessions."""

import os
import secrets
from pathlib import Path


def persistent_secret(path: Path) -> str:
    """The secret in the file, made on first use. Safe when several processes start at once."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
    value = path.read_text().strip()
    if not value:
        raise RuntimeError(f"{path} is empty; delete it and start again, or set SECRET_KEY")
    return value
