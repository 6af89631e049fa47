"""Detectors: images to boxes around the animals."""
