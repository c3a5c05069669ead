"""Renders the results of a run; knows nothing of hosts or SSH.

``write.write_reports`` writes them all, ``results_json.load`` reads a run back,
``terminal.render_summary`` prints it.
"""
