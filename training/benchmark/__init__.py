"""Public benchmarks: the recipe of the shipped models on published data sets, beside published figures."""
