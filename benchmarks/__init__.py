"""What the tap costs, beside what others cost: `uv run --group benchmarks python -m benchmarks`."""
