"""Trains a small language model from nothing, with a tokenizer of its own."""
