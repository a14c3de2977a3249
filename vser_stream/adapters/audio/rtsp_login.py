"""Logging in to a camera: Basic and Digest (RFC 2617; RFC 7616 for SHA-256)."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Login"]

_PAIR = re.compile(r'(\w+) *= *(?:"([^"]*)"|([^\s,]+))')
_HASHES = {"": "md5", "MD5": "md5", "SHA-256": "sha256"}


@dataclass(slots=True)
class Login:
    """User and password, and how the camera wants to be told them."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    _challenge: Mapping[str, str] | None = field(default=None, repr=False)
    _count: int = 0

    def take(self, challenges: Iterable[str]) -> bool:
        """Take what the camera asks; False if there is no answer, or this one was wrong."""
        found = [_parsed(challenge) for challenge in challenges]
        usable = [one for one in found if one["scheme"] == "basic" or _hash_of(one)]
        if not self.user or not usable:
            return False
        best = max(usable, key=lambda one: (one["scheme"] == "digest", _hash_of(one) == "sha256"))
        known, self._challenge, self._count = self._challenge, best, 0
        return known is None or (known.get("nonce") != best.get("nonce") and best.get("stale") == "true")

    def answer(self, method: str, url: str) -> str | None:
        """Return the header for a request; None before the camera asked."""
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge["scheme"] == "basic":
            return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        return self._digest(challenge, method, url)

    def _digest(self, challenge: Mapping[str, str], method: str, url: str) -> str:
        algorithm = challenge.get("algorithm", "")
        realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")

        def hashed(words: str) -> str:
            return hashlib.new(_hash_of(challenge), words.encode(), usedforsecurity=False).hexdigest()

        secret, asked = hashed(f"{self.user}:{realm}:{self.password}"), hashed(f"{method}:{url}")
        fields = {"username": self.user, "realm": realm, "nonce": nonce, "uri": url}
        if "auth" in re.split(r"[ ,]+", challenge.get("qop", "")):
            self._count += 1
            cnonce, count = secrets.token_hex(8), f"{self._count:08x}"
            response = hashed(f"{secret}:{nonce}:{count}:{cnonce}:auth:{asked}")
            more = f', qop=auth, nc={count}, cnonce="{cnonce}"'
        else:
            response, more = hashed(f"{secret}:{nonce}:{asked}"), ""
        fields["response"] = response
        if "opaque" in challenge:
            fields["opaque"] = challenge["opaque"]
        said = ", ".join(f'{name}="{value}"' for name, value in fields.items())
        return f"Digest {said}{more}" + (f", algorithm={algorithm}" if algorithm else "")


def _parsed(challenge: str) -> dict[str, str]:
    scheme, _, rest = challenge.strip().partition(" ")
    pairs = {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(rest)}
    return {**pairs, "scheme": scheme.lower()}


def _hash_of(challenge: Mapping[str, str]) -> str:
    """The name of the hash of a digest; empty if it is none that we know."""
    if challenge["scheme"] != "digest" or not challenge.get("nonce"):
        return ""
    return _HASHES.get(challenge.get("algorithm", "").upper(), "")
