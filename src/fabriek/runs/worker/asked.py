"""Under which names the portal lays files out for the worker; light, read by both."""

OF_DATA, OF_MODEL = "data/", "model/"
# Of checks: a folder for each input, laid out as a run finds it.
INPUTS = "inputs"
TOKENIZER, CONFIG = "tokenizer.json", "config.json"
SETTINGS, TEMPLATE_FILE = "tokenizer_config.json", "chat_template.jinja"
SIGNS_FILE = "special_tokens_map.json"
MODEL_FILES = (TOKENIZER, CONFIG, SETTINGS, TEMPLATE_FILE, SIGNS_FILE)
