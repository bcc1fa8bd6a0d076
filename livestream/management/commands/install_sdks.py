"""`manage.py install_sdks`: install the browser SDKs of the enabled providers."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from livestream.sdk_install import SdkNotInstalled, install_sdk
from livestream.sdks import SDKS, is_installed, needed_sdks


class Command(BaseCommand):
    """Installs the needed SDKs, or the named ones. Reinstalls existing ones only with --again."""

    help = "Install the browser SDKs of the media providers that are turned on, through npm."
    requires_system_checks = []  # this command fixes the failing check

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "names", nargs="*", metavar="name", help=f"one of {', '.join(SDKS)}; default: what is needed"
        )
        parser.add_argument("--again", action="store_true", help="fetch also what is already installed")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["names"]) - set(SDKS)
        if unknown:
            raise CommandError(f"There is no SDK named {', '.join(sorted(unknown))}. Known: {', '.join(SDKS)}.")
        wanted = [SDKS[name] for name in options["names"]] or needed_sdks()
        if not wanted:
            self.stdout.write("No provider that is turned on needs an SDK.")
        for sdk in wanted:
            if is_installed(sdk) and not options["again"]:
                self.stdout.write(f"{sdk.package} is already installed.")
                continue
            try:
                version = install_sdk(sdk, lock=settings.BASE_DIR / "package-lock.json", folder=settings.SDK_DIR)
            except SdkNotInstalled as error:
                raise CommandError(str(error)) from error
            self.stdout.write(self.style.SUCCESS(f"{sdk.package} {version} installed in {settings.SDK_DIR}."))
