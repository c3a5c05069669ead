"""A tree on disk (an image, a container's root) in place of a snapshot: all that reads files."""
