"""`manage.py runall`: web and media node together on one machine, as started by `make run`."""

import os
import signal
import socket
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
from livestream.supervisor import Child, ChildDoesNotStart, Supervisor

# What an earlier run leaves behind when it is killed needs a moment to end.
PORT_SECONDS = 4
LOOK_SECONDS = 0.1


class Command(BaseCommand):
    """Prepares the database, starts both processes, restarts one that ends, and stops both when Ctrl-C is pressed."""

    help = "Run web and media node together on this machine."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))

    def handle(self, *args: Any, **options: Any) -> None:
        # SIGINT too: a shell starts background jobs with it ignored, and Python keeps that.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _interrupt)
        try:
            self._run(options["host"], options["port"])
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")

    def _run(self, host: str, port: int) -> None:
        _require_free_ports(host, port)
        call_command("migrate", verbosity=0, interactive=False)
        if settings.DEMO:
            call_command("demo", verbosity=0)
        self._bring_sdks()
        environment = _environment(host, port)
        children = [
            Child("The web server", "uvicorn", _web_arguments(host, port, environment)),
            Child("The media node", "manage", ["runmedia"]),
        ]
        supervisor = Supervisor(children, environment=environment, folder=settings.BASE_DIR, say=self._warn)
        try:
            supervisor.start()
            self._announce(host, port, supervisor)
            while True:
                supervisor.check()
                time.sleep(LOOK_SECONDS)
        except ChildDoesNotStart as error:
            supervisor.stop()
            _require_free_ports(host, port)  # usually the reason, and then its message says what to do
            raise CommandError(
                f"{error} Its own messages are above. Everything is stopped; run the same command again when that is"
                " mended."
            ) from None
        finally:
            supervisor.stop()

    def _warn(self, line: str) -> None:
        self.stderr.write(self.style.WARNING(line))
        self.stderr.flush()

    def _bring_sdks(self) -> None:
        """Install the needed browser SDKs. A failure is only a warning, because all else works without them."""
        if not missing_sdks():
            return
        try:
            call_command("install_sdks")
        except CommandError as error:
            self.stderr.write(self.style.WARNING(f"{error} Until then, shows of this provider have no video."))

    def _announce(self, host: str, port: int, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            supervisor.check()
            try:
                socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, port), 0.2).close()  # noqa: S104
                break
            except OSError:
                time.sleep(LOOK_SECONDS)
        for url in _urls(host, port):
            self.stdout.write(self.style.SUCCESS(f"Livestream is on {url}"))
        if settings.DEMO:
            self.stdout.write(
                "Demo people, password “demo”: seller (goes live), buyer, buyer2, moderator, admin (/admin/)."
            )
        self.stdout.write("Ctrl-C stops everything.")
        self.stdout.flush()


def _require_free_ports(host: str, port: int) -> None:
    deadline = time.monotonic() + PORT_SECONDS
    _require_free(host, port, socket.SOCK_STREAM, "PORT", deadline)
    _require_free(settings.MEDIA_HTTP_HOST, settings.MEDIA_HTTP_PORT, socket.SOCK_STREAM, "MEDIA_HTTP_PORT", deadline)
    _require_free("0.0.0.0", settings.MEDIA_UDP_PORT, socket.SOCK_DGRAM, "MEDIA_UDP_PORT", deadline)  # noqa: S104


def _require_free(host: str, port: int, kind: socket.SocketKind, setting: str, deadline: float) -> None:
    while (error := _bind_error(host, port, kind)) is not None:
        if time.monotonic() >= deadline:
            protocol = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
            raise CommandError(
                f"{protocol} port {port} on {host} cannot be used ({error.strerror}). Stop what uses it, or choose"
                f" another one: make run {setting}={port + 100}"
            )
        time.sleep(LOOK_SECONDS)


def _bind_error(host: str, port: int, kind: socket.SocketKind) -> OSError | None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


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


def _web_arguments(host: str, port: int, environment: dict[str, str]) -> list[str]:
    arguments = ["livestream.asgi:application", "--host", host, "--port", str(port)]
    arguments += ["--ws", "websockets-sansio", "--ws-max-size", "2097152", "--ws-per-message-deflate", "false"]
    arguments += ["--ws-ping-interval", "20", "--ws-ping-timeout", "10", "--lifespan", "on"]
    arguments += ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5", "--no-server-header"]
    if settings.HTTPS:
        certificate, key = self_signed_certificate(Path(settings.DATA_DIR) / "tls", names=_names(host))
        arguments += ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
        # The media node reports over the same TLS and has no other way to trust this certificate.
        environment.setdefault("MEDIA_WEBHOOK_CERTIFICATE", str(certificate))
    return arguments


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
