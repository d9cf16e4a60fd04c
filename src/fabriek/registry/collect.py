"""Register what successful runs made, as soon as the loop sees it."""
