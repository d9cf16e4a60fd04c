"""Interactive work: JupyterLab as a run, listening on a socket of its own and on no port."""
