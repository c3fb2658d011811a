"""Experiments on where to preprocess: on the device or in the cloud."""
