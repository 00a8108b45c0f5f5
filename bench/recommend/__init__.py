"""Which setting of a sweep to take, and how sure that is.

The statistics behind it are in ``bench.statistics``; what was swept comes from ``bench.sweeps``.
"""
