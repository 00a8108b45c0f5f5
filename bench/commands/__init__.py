"""The commands of ``optbench``, one file each: options in, sentences and exit codes out.

What a command finds is computed elsewhere; here it is asked for and printed.
"""
