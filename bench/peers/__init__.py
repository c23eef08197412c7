"""Other tools on the same split, each inside an environment of its own."""
