"""Generate a benchmark into packed arrays, in parallel."""
