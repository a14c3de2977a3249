"""How long tests wait: long enough for any box.

A test that waits for something names how long that takes on a quiet box. Where it never comes, a longer wait
only makes the failure later; where it comes, it costs nothing. So the limit tells what hangs from what is
slow, and nothing else. How fast things are is measured in tests/bench.
"""

from __future__ import annotations

__all__ = ["BUSY", "HANGS"]

BUSY = 10.0
"""A box with eight other processes on two cores is this much slower, at worst (measured: 3 to 8 times)."""

HANGS = 300.0
"""Whatever takes longer hangs (s)."""
