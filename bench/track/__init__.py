"""Logging as MLflow's clients do: our routes beside `mlflow server`, and a long curve drawn."""
