"""Statistics of numbers: pure functions of arrays.

What knows of runs, labels or files does not belong here, nor does any text for people.
"""
