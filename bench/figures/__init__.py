"""What the figures of a model are worth: their intervals, and the gate that compares them."""
