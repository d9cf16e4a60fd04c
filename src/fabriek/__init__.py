"""Fabriek: the operating software of an AI factory."""

VERSION = "0.1.0"
