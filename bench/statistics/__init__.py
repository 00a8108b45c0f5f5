"""Statistics of numbers: pure functions that know of no run."""
