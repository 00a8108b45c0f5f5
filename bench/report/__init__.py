"""One page and one Markdown file from records: contents as plain data, rendered twice."""
