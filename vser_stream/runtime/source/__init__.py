"""One source while it is monitored, and all of them together."""
