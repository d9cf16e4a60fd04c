"""Predicts one column of a table from the others, by boosted trees beside a plain model."""
