"""Many settings tried: what is swept, by which strategy, on which workers, and what came of it."""
