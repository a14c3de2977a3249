"""Measures models and recipes."""
