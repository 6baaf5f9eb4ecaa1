"""Adversarial training of decisions, and prompts that make a frozen model decide alike: what FairCon uses."""
