"""A package of somebody else: a benchmark and a metric, with their cases, and a broken benchmark."""
