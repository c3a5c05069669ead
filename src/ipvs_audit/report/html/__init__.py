"""index.html and its pages, from templates: what an auditor reads, prints and signs.

For others: ``index_page.write``.
"""
