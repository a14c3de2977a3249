"""``python -m vser_stream``."""

from vser_stream.cli import main

main()
