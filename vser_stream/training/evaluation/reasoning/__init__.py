"""What a reasoner adds, and whether its rationales are faithful."""
