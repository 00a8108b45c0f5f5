"""What a report says, section by section, as plain data.

Words and cells belong here; numbers come from ``comparison``, ``recommend`` and ``regress``,
drawings from ``bench.report.figures``, and how it looks from the templates.
"""
