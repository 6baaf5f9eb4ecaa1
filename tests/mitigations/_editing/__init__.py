"""Tests of what the methods of model editing share."""
