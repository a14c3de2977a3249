"""Corpora and the features of their recordings."""
