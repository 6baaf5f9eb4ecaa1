"""Decisions about people, made by a language model: records as text, demonstrations, and rules on scores.

Sources: FairCon (adversarial contrastive training for fair decisions from few-shot prompts), sections 3 and
4; the group-fairness metrics are in `evenhand.metrics`, the benchmark in `evenhand.benchmarks.decisions`.
"""
