"""From a table of images to the batches that a step sees."""
