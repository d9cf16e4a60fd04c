"""Own code: the user's folder and command, with what they need to be run, resumed and kept."""
