"""What can run a job, and how we speak to it: plain Python, no Django, no stage."""
