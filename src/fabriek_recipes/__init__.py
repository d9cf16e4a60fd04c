"""Recipes: what runs on the engine; knows a run folder and nothing of the portal."""
