"""The model card: what the model is for, what it is worth, and where it ends."""
