"""Calm, angry or panic: vocal distress alerts over MQTT from a microphone or a camera.

Not a medical device. The shipped model was trained on acted speech.
"""

import os
from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("vser-stream")

# Here, because this runs before any library is loaded, in each process of ours and whoever imports what.

# onnxruntime >= 1.32 tells Microsoft about this box unless it is told not to (its Privacy.md: "before ONNX
# Runtime initializes"; its function for that comes too late). Nobody can switch it on again by accident.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Our matrices are so small that a second thread of OpenBLAS only waits in a busy loop (measured: 33 ms
# of CPU per second of speech with two threads, 24 with one).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
