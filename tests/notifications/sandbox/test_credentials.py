import json
import stat
from pathlib import Path

from cryptography import x509

from notifications.sandbox.credentials import init


def test_init_makes_everything_once_and_keeps_it(tmp_path: Path) -> None:
    files = init(tmp_path / "sandbox", fcm_port=8811)
    first = {path.name: path.read_bytes() for path in files.directory.iterdir()}

    init(tmp_path / "sandbox", fcm_port=8811)

    assert {path.name: path.read_bytes() for path in files.directory.iterdir()} == first
    assert len(first) == 6


def test_only_the_owner_can_read_what_init_made(tmp_path: Path) -> None:
    files = init(tmp_path / "sandbox", fcm_port=8811)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700


def test_another_port_changes_the_key_files_token_uri_and_nothing_else(tmp_path: Path) -> None:
    files = init(tmp_path, fcm_port=8811)
    before = json.loads(files.service_account.read_bytes())

    init(tmp_path, fcm_port=9000)

    after = json.loads(files.service_account.read_bytes())
    assert after == before | {"token_uri": "https://localhost:9000/token"}
    assert stat.S_IMODE(files.service_account.stat().st_mode) == 0o600


def test_the_certificate_is_for_this_machine_and_signed_by_the_authority(tmp_path: Path) -> None:
    files = init(tmp_path, fcm_port=8811)
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())

    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
