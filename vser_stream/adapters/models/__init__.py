"""What runs a model, here or on a server, and where models come from."""
