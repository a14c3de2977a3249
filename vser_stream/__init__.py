"""Calm, angry or panic: vocal distress alerts over MQTT from a microphone or a camera.

Not a medical device. The shipped model was trained on acted speech.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("vser-stream")
