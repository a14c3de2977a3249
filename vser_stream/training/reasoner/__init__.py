"""Makes the bundled reasoner: cases, teacher, examples, network."""
