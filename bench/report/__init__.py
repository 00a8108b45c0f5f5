"""Reports: what is in one (``contents.py``), and how it becomes files (``writer.py``).

``document.py`` says what a report consists of.
"""
