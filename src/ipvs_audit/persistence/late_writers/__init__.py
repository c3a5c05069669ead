"""What writes the key after ip_vs was loaded: units, rc.local, cron, tuned and the like.

``writers`` has the answer for a host; ``commands`` says what one command may do.
"""
