"""Each third-party library in exactly one file."""
