"""Measurements of Fabriek beside its peers: `make bench`, or `python -m bench --small`."""
