"""What can run a job, and how we speak to it; plain Python that knows no Django and no stage."""
