"""Training under the clock: from a ``RunSpec`` to a record.

The only folder besides ``problems`` that needs torch, and the only one that trains.
"""
