"""`python -m livestream.with_parent MODULE ARGUMENTS`: run a module, and end it when the process that started it ends.

The starting process holds the write end of this one's standard input and writes nothing to it. The input ends with that
process, however it ended, because the system then closes its files.
"""

import os
import runpy
import signal
import sys
import threading
import time

STDIN = 0
GRACE_SECONDS = 10


def main() -> None:
    """Run the module that the command line names."""
    threading.Thread(target=_end_with_input, name="with parent", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_input() -> None:
    while os.read(STDIN, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
