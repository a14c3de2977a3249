"""From a corpus to a folder that is shipped, with its card."""
