"""On events in composed hours: detections, delays, false alarms."""
