"""Homes made of recordings: rooms, surroundings, composed hours."""
