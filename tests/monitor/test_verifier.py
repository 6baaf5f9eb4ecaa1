"""Ed25519 of the verifier gives what RFC 8032 and `cryptography` say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evenhand.monitor import verifier

VECTORS = [  # RFC 8032, section 7.1: secret, public, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc(secret: str, public: str, message: str, signature: str) -> None:
    key, text, sealed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    own = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    assert own.sign(text) == sealed  # the vector was copied rightly
    assert verifier.signed(key, text, sealed)
    assert not verifier.signed(key, text + b"\0", sealed)
    for place in (0, 31, 32, 63):
        assert not verifier.signed(
            key, text, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        )


def test_what_is_no_signature_is_refused() -> None:
    _, public, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    assert not verifier.signed(public[:31], message, signature)
    assert not verifier.signed(public, message, signature[:63])
    more = int.from_bytes(signature[32:], "little") + verifier.ORDER  # the same scalar, written otherwise
    assert not verifier.signed(public, message, signature[:32] + more.to_bytes(32, "little"))
    assert not verifier.signed(b"\xff" * 32, message, signature)  # y is no number below the prime
    off = next(n for n in range(2, 20) if verifier._point(n.to_bytes(32, "little")) is None)
    assert not verifier.signed(off.to_bytes(32, "little"), message, signature)  # no point of the curve


def test_it_needs_only_the_standard_library(tmp_path: Path) -> None:
    alone = tmp_path / "verifier.py"
    alone.write_bytes(Path(verifier.__file__).read_bytes())
    # -I and -S: no folder of installed packages, no variables of the environment.
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(alone), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no export that can be checked: manifest.json cannot be read" in done.stderr
