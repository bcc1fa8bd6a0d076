"""`manage.py runall`: web and media node together on one machine, as started by `make run`."""

import os
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

import ifaddr
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from livestream.certificate import self_signed_certificate
from livestream.sdks import missing_sdks

STOP_SECONDS = 10
CLEAN_EXITS = (0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)


class Command(BaseCommand):
    """Prepares the database, starts both processes, and stops both when either exits or Ctrl-C is pressed."""

    help = "Run web and media node together on this machine."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))

    def handle(self, *args: Any, **options: Any) -> None:
        # SIGINT too: a shell starts background jobs with it ignored, and Python keeps that.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _interrupt)
        children: list[subprocess.Popen[bytes]] = []
        try:
            self._run(options["host"], options["port"], children)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")
        finally:
            _stop(children)

    def _run(self, host: str, port: int, children: list[subprocess.Popen[bytes]]) -> None:
        _require_free(host, port, socket.SOCK_STREAM, "PORT")
        _require_free(settings.MEDIA_HTTP_HOST, settings.MEDIA_HTTP_PORT, socket.SOCK_STREAM, "MEDIA_HTTP_PORT")
        _require_free("0.0.0.0", settings.MEDIA_UDP_PORT, socket.SOCK_DGRAM, "MEDIA_UDP_PORT")  # noqa: S104
        call_command("migrate", verbosity=0, interactive=False)
        if settings.DEMO:
            call_command("demo", verbosity=0)
        self._bring_sdks()
        environment = _environment(host, port)
        for command in (_web_command(host, port, environment), [sys.executable, "manage.py", "runmedia"]):
            children.append(subprocess.Popen(command, env=environment))  # noqa: S603 - our own two commands
        self._announce(host, port, children)
        _wait(children)

    def _bring_sdks(self) -> None:
        """Install the needed browser SDKs. A failure is only a warning, because all else works without them."""
        if not missing_sdks():
            return
        try:
            call_command("install_sdks")
        except CommandError as error:
            self.stderr.write(self.style.WARNING(f"{error} Until then, shows of this provider have no video."))

    def _announce(self, host: str, port: int, children: list[subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and all(child.poll() is None for child in children):
            try:
                socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, port), 0.2).close()  # noqa: S104
                break
            except OSError:
                time.sleep(0.1)
        for url in _urls(host, port):
            self.stdout.write(self.style.SUCCESS(f"Livestream is on {url}"))
        if settings.DEMO:
            self.stdout.write(
                "Demo people, password “demo”: seller (goes live), buyer, buyer2, moderator, admin (/admin/)."
            )
        self.stdout.write("Ctrl-C stops everything.")
        self.stdout.flush()


def _require_free(host: str, port: int, kind: socket.SocketKind, setting: str) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            protocol = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
            raise CommandError(
                f"{protocol} port {port} on {host} cannot be used ({error.strerror}). Stop what uses it, or choose"
                f" another one: make run {setting}={port + 100}"
            ) from None


def lan_addresses() -> list[str]:
    """Return this machine's IPv4 addresses that other machines can reach."""
    addresses = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return sorted({address for address in addresses if not address.startswith(("127.", "169.254."))})


def _names(host: str) -> list[str]:
    return ["localhost", "127.0.0.1", *(lan_addresses() if host == "0.0.0.0" else [host])]  # noqa: S104


def _urls(host: str, port: int) -> list[str]:
    scheme = "https" if settings.HTTPS else "http"
    names = ["localhost", *(lan_addresses() if host == "0.0.0.0" else [])]  # noqa: S104
    return [f"{scheme}://{name}:{port}" for name in names]


def _environment(host: str, port: int) -> dict[str, str]:
    environment = dict(os.environ)
    scheme = "https" if settings.HTTPS else "http"
    names = list(dict.fromkeys([*settings.ALLOWED_HOSTS, *_names(host)]))
    environment.setdefault("ALLOWED_HOSTS", ",".join(names))
    environment.setdefault("MEDIA_WEBHOOK_URL", f"{scheme}://127.0.0.1:{port}/webhooks/builtin/")
    environment["PORT"] = str(port)
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def _web_command(host: str, port: int, environment: dict[str, str]) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "livestream.asgi:application", "--host", host, "--port", str(port)]
    command += ["--ws", "websockets-sansio", "--ws-max-size", "2097152", "--ws-per-message-deflate", "false"]
    command += ["--ws-ping-interval", "20", "--ws-ping-timeout", "10", "--lifespan", "on"]
    command += ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5", "--no-server-header"]
    if settings.HTTPS:
        certificate, key = self_signed_certificate(Path(settings.DATA_DIR) / "tls", names=_names(host))
        command += ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
        # The media node reports over the same TLS and has no other way to trust this certificate.
        environment.setdefault("MEDIA_WEBHOOK_CERTIFICATE", str(certificate))
    return command


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait(children: list[subprocess.Popen[bytes]]) -> None:
    while True:
        for child in children:
            if child.poll() is not None:
                if child.returncode in CLEAN_EXITS:
                    return
                raise CommandError("A process ended unexpectedly; see its message above. Everything is stopped.")
        time.sleep(0.2)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
