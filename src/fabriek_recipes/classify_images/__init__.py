"""Teaches a model that sees to give pictures one of a few labels."""
