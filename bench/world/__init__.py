"""A factory as large as one with some years behind it; the same each time it is made."""
