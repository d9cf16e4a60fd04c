"""Training side by side with what others use, on the same model, data and machine."""
