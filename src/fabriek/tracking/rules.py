"""How much one run and one case may keep: hundreds of times what people need."""

POINTS_MAX = 20_000_000
POINTS_OF_CASE_MAX = 1_000_000_000  # 24 GB; asked each time a run has so many more:
POINTS_BETWEEN = 20_000
NAMES_MAX = 5_000
PARAMS_MAX = 2_000
TAGS_MAX = 1_000
TEXT_BYTES_MAX = 2**18  # of all parameters, and of all tags
RUNS_MAX = 20_000
EXPERIMENTS_MAX = 2_000
FILES_MAX = 10_000
# A call that makes more wait than this puts them where they belong.
ARRIVALS_WAITING = 256
POINTS_WAITING = 20_000
