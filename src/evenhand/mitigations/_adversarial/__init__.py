"""Adversarial training of decisions, and searched prompts for a frozen model: the parts of FairCon."""
