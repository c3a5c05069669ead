"""What a hook's commands leave: the value, the exit status, and what is in doubt.

``interpreter`` follows the shell through a line; ``programs`` knows which program does what.
"""
