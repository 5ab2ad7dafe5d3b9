"""Real-format credentials for a provider that is not real: certificates, keys, a key file."""

import hashlib
import ipaddress
import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PROJECT_ID = "zaffa-sandbox"
TEAM_ID = "ZAFFATEAM0"
KEY_ID = "ZAFFAKEY00"
TOPIC = "app.zaffa.demo"

# Certificates that outlive every installation: nobody renews a test double's.
_FROM = datetime(2024, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2054, 1, 1, tzinfo=UTC)

_APPS = "apps"
"""The folder with a folder for each further app."""

_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
_PLAIN = serialization.NoEncryption()


@dataclass(frozen=True, slots=True)
class Files:
    """Where the sandbox's credentials lie. Holds no secret itself."""

    directory: Path
    project_id: str = PROJECT_ID
    team_id: str = TEAM_ID
    key_id: str = KEY_ID
    topic: str = TOPIC

    @property
    def authority(self) -> Path:
        """The certificate that clients must trust."""
        return self.directory / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.directory / "server.pem"

    @property
    def certificate_key(self) -> Path:
        return self.directory / "server-key.pem"

    @property
    def service_account(self) -> Path:
        """FCM's key file, as the Firebase console hands it out."""
        return self.directory / "service-account.json"

    @property
    def apns_key(self) -> Path:
        """APNs' signing key, as Apple hands it out."""
        return self.directory / f"AuthKey_{self.key_id}.p8"

    @property
    def vapid_key(self) -> Path:
        """The key with which Web Push is signed."""
        return self.directory / "vapid.pem"


def init(directory: str | Path, *, fcm_port: int) -> Files:
    """Make what is missing in `directory`; what exists stays, so clients keep working.

    The key file's `token_uri` always points at `fcm_port`.
    """
    files = Files(Path(directory))
    files.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    tls = (files.authority, files.certificate, files.certificate_key)
    if not all(path.exists() for path in tls):
        _make_certificates(files)
    make_credentials(files, fcm_port=fcm_port)
    return files


def init_app(directory: str | Path, name: str, *, fcm_port: int) -> Files:
    """Make what is missing of the credentials of an app beside the sandbox's own."""
    files = _files_of_app(Path(directory), name)
    make_credentials(files, fcm_port=fcm_port)
    return files


def make_credentials(files: Files, *, fcm_port: int) -> None:
    """Make what is missing of what an app shows to providers."""
    files.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (files.apns_key, files.vapid_key):
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            _write(path, key.private_bytes(_PEM, _PKCS8, _PLAIN))
    point_to(files, fcm_port=fcm_port)


def apps_in(directory: str | Path) -> list[Files]:
    """The credentials of every such app."""
    found = Path(directory, _APPS).glob("*/vapid.pem")
    return [_files_of_app(Path(directory), each.parent.name) for each in sorted(found)]


def _files_of_app(directory: Path, name: str) -> Files:
    """A project, a signing key and a bundle id of its own, in the sandbox's one team."""
    return Files(
        directory / _APPS / name,
        project_id=f"{PROJECT_ID}-{name}",
        key_id=hashlib.sha256(name.encode()).hexdigest()[:10].upper(),
        topic=f"app.zaffa.{name}",
    )


def point_to(files: Files, *, fcm_port: int) -> None:
    """Let the key file's `token_uri` name this port; the key itself stays."""
    token_uri = f"https://localhost:{fcm_port}/token"
    if files.service_account.exists():
        account = json.loads(files.service_account.read_bytes())
        if account["token_uri"] == token_uri:
            return
    else:
        account = _account(files.project_id)
    account["token_uri"] = token_uri
    _write(files.service_account, json.dumps(account, indent=2).encode())


def _account(project_id: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": secrets.token_hex(20),
        "private_key": key.private_bytes(_PEM, _PKCS8, _PLAIN).decode(),
        "client_email": f"push@{project_id}.iam.gserviceaccount.com",
        "client_id": "100000000000000000000",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "",
        "universe_domain": "googleapis.com",
    }


def _make_certificates(files: Files) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Zaffa sandbox")])
    signer = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    authority = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(signer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer)
    certificate = (
        _certificate(name, ca_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(known, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # The authority's key is thrown away: nothing else can ever be signed with it.
    _write(files.authority, authority.public_bytes(_PEM))
    _write(files.certificate, certificate.public_bytes(_PEM))
    _write(files.certificate_key, key.private_bytes(_PEM, _PKCS8, _PLAIN))


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
