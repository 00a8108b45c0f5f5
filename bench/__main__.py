"""``python -m bench`` is ``optbench``."""

from bench.cli import main

if __name__ == "__main__":
    main()
