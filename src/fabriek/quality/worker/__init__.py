"""The locked-down program that reads data: no Django, no network, no secrets, bounded.

    python -m fabriek.quality.worker FOLDER

`FOLDER/job.json` says what to look at, `FOLDER/files/` holds it read-only under numbers of our
own (a hostile name never reaches the disk), `told/` says what came of
it; beside that it writes in `made/` and `tmp/` only. Whatever it reads was made by a stranger.
"""
