"""Base against head: is a training step slower, in which phase, and by how much."""
