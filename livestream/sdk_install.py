"""Installation of an SDK: npm fetches the package, and its hash in package-lock.json verifies it."""

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
# Browsers would request the source map, and collectstatic requires it to exist.
SOURCE_MAP = re.compile(rb"^//[#@] sourceMappingURL=.*$", re.MULTILINE)


class SdkNotInstalled(Exception):
    """An SDK could not be installed. The message says why and what to do."""


def install_sdk(sdk: Sdk, *, lock: Path, folder: Path) -> str:
    """Install the SDK's file into the folder and return its version. An existing file stays until the new one is
    complete.

    Raises SdkNotInstalled. Runs no scripts of the package and fetches no dependencies, because the file is
    self-contained.
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
