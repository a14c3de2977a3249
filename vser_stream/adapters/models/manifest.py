"""``manifest.toml`` vouches for all other files of a model folder, and ``SHA256SUMS`` for it.

The sums are in the words of sha256sum(1): whoever changes a manifest on purpose writes them anew with
``sha256sum manifest.toml > SHA256SUMS``. A folder without them is believed on its word.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from vser_stream.errors import ModelError

__all__ = ["MANIFEST", "SUMS", "check_sums", "sums_of"]

MANIFEST = "manifest.toml"

SUMS = "SHA256SUMS"


def sums_of(manifest: bytes) -> str:
    """What :data:`SUMS` holds beside a manifest."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n"


def check_sums(folder: Path, manifest: bytes) -> None:
    """Return if the manifest is the one that was written.

    Raises:
        ModelError: It is another.
    """
    path = folder / SUMS
    try:
        if path.read_bytes() == sums_of(manifest).encode():
            return
    except FileNotFoundError:
        return
    except OSError as exc:
        raise ModelError(
            f"{path}: cannot be read ({exc.strerror}); copy the whole model folder again"
        ) from exc
    raise ModelError(
        f"{folder / MANIFEST}: was changed ({SUMS} differs); copy the whole model folder again "
        f"or train it anew; if you changed it yourself: sha256sum {MANIFEST} > {SUMS}"
    )
