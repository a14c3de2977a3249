"""Makes and measures models; needs the extra ``train``; never imported by the daemon."""

import os

from vser_stream.config.locations import cache_folder

# Libraries that keep files for later keep them beside our own, not wherever they like: matplotlib its list
# of fonts (else in ~/.cache and ~/.config), torch an empty folder (else in /tmp, for whoever comes first).
os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "torch"))
