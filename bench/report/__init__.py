"""Reports of stored results: ``report.html``, ``report.md`` and figures.

``document.py`` says what a report consists of, ``writer.py`` writes one, and the other modules say
what is in it.
"""

from bench.report.first_report import write as write

__all__ = ["write"]
