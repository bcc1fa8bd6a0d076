"""Run a node without Django, configured from the environment variables that web reads too."""

from __future__ import annotations

import logging
import os
import sys

from media_node.config import ConfigInvalid, config_from_environment
from media_node.node import serve


def main() -> int:
    """Run the node until it is stopped and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = config_from_environment(os.environ)
    except ConfigInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return serve(config)


if __name__ == "__main__":
    sys.exit(main())
