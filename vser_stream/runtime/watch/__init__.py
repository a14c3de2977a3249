"""Whether the daemon is well: metrics, watchdog, self-test."""
