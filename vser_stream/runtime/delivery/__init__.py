"""Messages on their way to the broker, and what comes back from it."""
