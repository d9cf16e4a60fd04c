"""Measures the Slurm engine on a real cluster of emulated nodes, beside its neighbours."""
