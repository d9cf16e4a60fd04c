"""Teaches a language model which of two answers is better."""
