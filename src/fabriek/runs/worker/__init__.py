"""The locked-down program that shows rows as a model will read them, and counts their tokens.

    python -m fabriek.runs.worker FOLDER

The folder is laid out as that of a look at data is, and the walls are the same ones: a chat
template is a program, and a tokenizer a file to be parsed, both made by strangers.
"""
