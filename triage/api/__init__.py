"""
The HTTP API: one table of routes (`routes.py`, read it first) makes both the application and its OpenAPI file.

Here: shapes of requests and answers, keys and scopes, paging, limits, problems. Not here: any decision, rule or query
of its own; every handler calls what the command line calls.
"""
