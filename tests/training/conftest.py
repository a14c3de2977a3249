from __future__ import annotations

from pathlib import Path

# Real recordings lie beside a development checkout, and nowhere else.
_DATA = Path(__file__).parents[3] / "shared" / "data" / "manifest.csv"

collect_ignore_glob = [] if _DATA.is_file() else ["*_real_data.py"]
