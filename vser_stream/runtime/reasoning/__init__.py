"""Ambiguous utterances: who is asked about them, and what becomes of them."""
