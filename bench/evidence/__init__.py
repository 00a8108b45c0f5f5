"""Scripts that made what the READMEs claim, run with ``python -m bench.evidence.<name>``.

Their output is kept in ``results/reference``; nothing else imports them.
"""
