"""The figures, one file each: from numbers that others computed to a drawing.

Nothing here reads records or computes statistics, and nothing writes a file but ``style``.
"""
