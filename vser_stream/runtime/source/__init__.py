"""One source while it is listened to, and all of them together."""
