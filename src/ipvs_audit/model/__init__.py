"""What all rooms speak of: target, policy, waiver, verdict, the run's results, limits.

Plain data and pure functions. Imports no other room; reads no host and writes no file.
"""
