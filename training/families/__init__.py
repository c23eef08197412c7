"""The model families: one file each, reached by key through `training.registry`."""
