"""Sweeps: every setting of a grid, over seeds, judged on the validation split."""
