"""One module per group of commands of ``optbench``: arguments to calls, results to text."""
