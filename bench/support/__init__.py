"""What has nothing to do with optimizers: files, text, consoles, numbers, git."""
