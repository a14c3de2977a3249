"""Whom to trust at the other end of an encrypted connection; why not, in words that end with what to do."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from vser_stream.files import regular

__all__ = ["distrust", "trusting"]

_NOT_YET_VALID, _EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


def trusting(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trust the authorities of a file, or those of this box; the same on every Python.

    Raises:
        OSError: The file cannot be read, or holds no certificate.
    """
    tls = ssl.create_default_context(cafile=None if ca_file is None else regular(ca_file))
    # Python >= 3.13 refuses an authority that does not say what its key is for, as one made at
    # home with plain "openssl req -x509" does not. Chain, dates and host are checked all the same.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return tls


def distrust(cause: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, and whether it may be this box's clock."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    words = {
        _NOT_YET_VALID: f"its certificate is not yet valid; is this box's clock right? It says {now}",
        _EXPIRED: f"its certificate has expired; renew it, unless this box's clock is wrong: it says {now}",
    }
    other = f"{cause.verify_message}; check ca_file, and host against its certificate"
    return f"cannot be trusted: {words.get(cause.verify_code, other)}"
