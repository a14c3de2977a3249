"""From blocks of samples to segments of speech, and what is wrong with a signal."""
