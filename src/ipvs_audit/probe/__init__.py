"""The script that a host runs, the frames that it answers in, and the collector."""
