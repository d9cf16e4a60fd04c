"""Lets a language model answer every row of a dataset."""
