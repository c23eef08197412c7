"""The model families: a folder each, which nobody names but its entry in `training.registry`."""
