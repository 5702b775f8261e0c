"""What a reader sees: figures, rendered notebooks, the README's table."""
