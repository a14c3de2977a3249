"""From a speech segment to one row of features."""
