"""How often ``regress`` is right: trials whose answer is known, and what is concluded from them.

The procedure itself is in ``bench.statistics.launches``: it is judged here, not changed.
"""
