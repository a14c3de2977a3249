"""Fits and exports the classifier, its second look, and the second opinion."""
