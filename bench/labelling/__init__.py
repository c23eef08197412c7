"""What a decision costs the person who labels."""
