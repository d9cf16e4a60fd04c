"""Teaches a language model to give texts one of a few labels, beside a count of words."""
