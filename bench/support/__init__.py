"""What has nothing to do with optimizers: files, text, consoles, numbers, git.

What knows of a run, a record or a quantity does not belong here, nor does statistics.
"""
