"""Training: the loop, fine-tuning, objectives and fair losses, low-rank adapters, averages, checkpoints."""
