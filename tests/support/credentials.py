"""Credentials as providers give them out, made for tests."""

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifications.apps.options import GOOGLE


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def ec_pem() -> bytes:
    return pem_of(ec.generate_private_key(ec.SECP256R1()))


def service_account(project: str = "shop", **changes: str) -> bytes:
    """A key file of Firebase; making its key takes a moment."""
    key = pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)).decode()
    account = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": f"{project}-key",
        "private_key": key,
        "client_email": f"push@{project}.example",
        "token_uri": GOOGLE[0],
    }
    return json.dumps({**account, **changes}).encode()
