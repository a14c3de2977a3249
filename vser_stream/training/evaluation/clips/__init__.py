"""On labelled clips of held-out speakers."""
