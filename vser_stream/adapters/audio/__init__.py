"""Where audio comes from: recordings, microphones and cameras."""
