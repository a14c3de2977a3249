"""The calm baseline of each source on the disk: statistics only, one small file each."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from vser_stream.core.baseline import Baseline

__all__ = ["BaselineStore"]

_log = logging.getLogger(__name__)


class BaselineStore:
    """Baselines of one feature set; those of another are of no use and are not read.

    Args:
        folder: Where the files are, ``baseline-<source>.json``.
        features: Digest of the features.
    """

    def __init__(self, folder: Path, *, features: str) -> None:
        self._folder, self._features = folder, features

    def load(self, source: str) -> Baseline | None:
        """Return the baseline of a source; None where there is none that can be used."""
        path = self._path(source)
        try:
            document = json.loads(path.read_bytes())
            if document["features"] == self._features:
                return Baseline.from_lists(document["baseline"])
            _log.warning("baseline is of other features, starting anew: path=%s", path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as exc:
            _log.warning("baseline cannot be read, starting anew: path=%s error=%s", path, exc)
        return None

    def save(self, source: str, baseline: Baseline) -> None:
        """Replace the baseline of a source; a failing disk costs only what was learned since."""
        path = self._path(source)
        document = {"features": self._features, "baseline": baseline.to_lists()}
        new = path.with_suffix(".new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as exc:
            _log.warning("baseline was not saved: path=%s error=%s", path, exc)

    def forget(self, source: str) -> bool:
        """Delete the baseline of a source; return whether there was one."""
        path = self._path(source)
        existed = path.exists()
        path.unlink(missing_ok=True)
        return existed

    def _path(self, source: str) -> Path:
        return self._folder / f"baseline-{source}.json"
