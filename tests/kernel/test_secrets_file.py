"""The secret and the certificate that are created on first use: readable only by their owner."""

import ipaddress
import stat
import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from livestream import secrets_file
from livestream.certificate import self_signed_certificate
from livestream.secrets_file import persistent_secret
from tests.threads import at_once


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    path = tmp_path / "secret"

    made = persistent_secret(path)

    assert len(made) >= 50
    assert persistent_secret(path) == made
    assert mode_of(path) == 0o600


def test_two_places_have_two_secrets(tmp_path):
    assert persistent_secret(tmp_path / "one") != persistent_secret(tmp_path / "other")


def test_a_secret_that_another_process_is_about_to_write_is_waited_for(tmp_path):
    path = tmp_path / "secret"
    path.touch()
    writing = threading.Timer(0.2, path.write_text, ["the other's secret"])
    writing.start()

    assert persistent_secret(path) == "the other's secret"
    writing.join()


def test_an_empty_file_is_no_secret(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.touch()
    monkeypatch.setattr(secrets_file, "WRITTEN_WITHIN_SECONDS", 0.1)

    with pytest.raises(RuntimeError, match="is empty; delete it"):
        persistent_secret(path)
    assert path.read_text() == ""


def test_many_who_start_at_the_same_moment_have_the_same_secret(tmp_path):
    path = tmp_path / "secret"

    assert set(at_once(20, lambda _: persistent_secret(path))) == {path.read_text()}


def test_a_certificate_names_this_machine_and_its_key_is_for_the_owner_alone(tmp_path):
    names = ["localhost", "127.0.0.1", "::1", "studio.local", "localhost"]

    certificate_path, key_path = self_signed_certificate(tmp_path / "tls", names=names)

    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    key = load_pem_private_key(key_path.read_bytes(), password=None)
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert named.get_values_for_type(x509.DNSName) == ["localhost", "studio.local"]
    assert named.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    assert certificate.public_key() == key.public_key()
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc
    assert mode_of(key_path) == 0o600


def test_a_new_certificate_replaces_the_old_one_and_its_key(tmp_path):
    first = [path.read_bytes() for path in self_signed_certificate(tmp_path, names=["localhost"])]

    second = [path.read_bytes() for path in self_signed_certificate(tmp_path, names=["localhost"])]

    assert all(old != new for old, new in zip(first, second, strict=True))
    assert mode_of(tmp_path / "key.pem") == 0o600
