"""Benches that read the source and run none of it for its own sake."""
