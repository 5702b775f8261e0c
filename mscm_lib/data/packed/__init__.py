"""A dataset's images, decoded once into one array: made, opened and read."""
