"""What a user types: the ``ipvs-audit`` command, and its subcommands.

Each subcommand reads its arguments, calls the room that does the work, and prints. It judges
nothing itself, and no other room imports this one.

For others: ``main.main`` (the console command).
"""
