"""What runs of several optimizers say: groups of what may be compared, rows, targets, curves.

Everything is derived from records; nothing here trains or draws.
"""
