"""Why the other side of an encrypted connection is not trusted, in words that end with what to do."""

from __future__ import annotations

import ssl
import time

__all__ = ["distrust"]

_NOT_YET_VALID, _EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


def distrust(cause: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, and whether it may be this box's clock."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    words = {
        _NOT_YET_VALID: f"its certificate is not yet valid; is this box's clock right? It says {now}",
        _EXPIRED: f"its certificate has expired; renew it, unless this box's clock is wrong: it says {now}",
    }
    other = f"{cause.verify_message}; check ca_file, and host against its certificate"
    return f"cannot be trusted: {words.get(cause.verify_code, other)}"
