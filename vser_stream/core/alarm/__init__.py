"""From probabilities to alarms: evidence over time, thresholds, the life of an alarm."""
