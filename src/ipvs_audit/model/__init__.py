"""What all rooms speak of: target, policy, waiver, verdict, the run's results, limits.

Plain data and pure functions; of files, those that a user names (policy, waivers) and private ones.
Imports no other room and contacts no host.
"""
