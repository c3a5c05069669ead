"""From a snapshot to a plan, from a plan to a changed host, and back."""
