"""People to decide on: records of tables as prompts, demonstrations, and the split of people into parts.

Sources: FairCon (adversarial contrastive training for fair decisions from few-shot prompts), sections 3 and
4; the group-fairness metrics are in `evenhand.metrics`, the benchmark in `evenhand.benchmarks.decisions`.
"""
