"""How datasets lie on disk, a file a layout, and what readers of layouts share."""
