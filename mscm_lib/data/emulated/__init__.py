"""The generated benchmark written in the layouts of the real datasets."""
