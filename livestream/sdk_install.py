"""Fetching an SDK: npm brings the package, its hash in package-lock.json says whether it is the right one."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from livestream.sdks import Sdk

NPM_SECONDS = 180
# Browsers would ask for the map, and collecting static files insists on its being there.
SOURCE_MAP = re.compile(rb"^//[#@] sourceMappingURL=.*$", re.MULTILINE)


class SdkNotInstalled(Exception):
    """An SDK could not be installed; the message says why and what to do."""


def install_sdk(sdk: Sdk, *, lock: Path, folder: Path) -> str:
    """Put the SDK's file into the folder; the version. The file that was there stays until the new one is whole.

    Raises SdkNotInstalled. Runs no script of the package and fetches nothing that it depends on: the file is complete.
    """
    version, integrity = _pinned(sdk, lock)
    npm = shutil.which("npm")
    if npm is None:
        raise SdkNotInstalled("npm was not found. Install Node.js (https://nodejs.org), then try again.")
    with tempfile.TemporaryDirectory() as temporary:
        archive = _packed(npm, f"{sdk.package}@{version}", Path(temporary))
        _require_integrity(archive, integrity, sdk)
        content = SOURCE_MAP.sub(b"", _extracted(archive, sdk))
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{sdk.file}.part"
        part.write_bytes(content)
        part.replace(folder / sdk.file)
    return version


def _pinned(sdk: Sdk, lock: Path) -> tuple[str, str]:
    try:
        entry = json.loads(lock.read_text())["packages"][f"node_modules/{sdk.package}"]
        return str(entry["version"]), str(entry["integrity"])
    except (OSError, ValueError, KeyError) as error:
        raise SdkNotInstalled(f"{lock} does not pin {sdk.package}.") from error


def _packed(npm: str, package: str, folder: Path) -> Path:
    command = [npm, "pack", package, "--pack-destination", str(folder), "--ignore-scripts", "--silent"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=NPM_SECONDS, cwd=folder)  # noqa: S603 - our own pins
    except subprocess.TimeoutExpired as error:
        raise SdkNotInstalled(f"npm did not bring {package} within {NPM_SECONDS} s. Try again later.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[-400:]
        raise SdkNotInstalled(f"npm could not bring {package}: {said or 'it says nothing more'}") from error
    return next(folder.glob("*.tgz"))


def _require_integrity(archive: Path, integrity: str, sdk: Sdk) -> None:
    algorithm, _, wanted = integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if found != wanted:
        raise SdkNotInstalled(
            f"The package {sdk.package} is not the one that package-lock.json names. Nothing was installed."
        )


def _extracted(archive: Path, sdk: Sdk) -> bytes:
    with tarfile.open(archive) as package:
        try:
            member = package.extractfile(f"package/{sdk.source}")
        except KeyError:
            member = None
        if member is None:
            raise SdkNotInstalled(f"The package {sdk.package} has no {sdk.source}.")
        return member.read()
