"""The machine that runs take place on: devices, allocator, what disturbs it, how it is described.

Nothing here knows of runs or optimizers, and only ``devices`` imports torch to be imported.
"""
