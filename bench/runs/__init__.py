"""One run as data: what was asked, its record, where records are kept and how they are read.

From here on nothing imports torch, and nothing is derived: statistics are in ``comparison``.
"""
