"""From features to probabilities: the calm baseline, the classifier's inputs, the second look."""
