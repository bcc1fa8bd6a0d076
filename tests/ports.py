"""Ports for servers that tests start."""

import random
import socket

# Below the range that the kernel gives to outgoing connections: one of these would take the port between the choice and
# the start of the server.
RANGE = range(10_000, 32_000)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that is free on all addresses now."""
    chooser = random.SystemRandom()  # seeded generators would agree in all workers
    while True:
        port = chooser.choice(RANGE)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
