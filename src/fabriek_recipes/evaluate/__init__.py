"""Scores language models on rows or on tasks, and makes no model."""
