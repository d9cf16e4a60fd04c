"""Trying a model: one person asks, the model and its base answer side by side."""
