"""Tests of the metrics; a package, so that a metric and a benchmark may share a name."""
