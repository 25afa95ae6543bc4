"""
Where effects go: the store, a JSONL file, e-mail, signed webhooks and chat.

`local.py` reaches nobody; `mail.py`, `webhook.py` and `chat.py` reach the outside through `post.py` and `guard.py`,
which let nothing past the policy's allow-lists. `settings.py` reads the sinks file, `routed.py` sends each action to
the one sink that takes it. Nothing is decided here; what is said comes as a `Message`. Read `routed.py` first.
"""

from triage.sinks.local import JsonlSink, StoreSink

__all__ = ["JsonlSink", "StoreSink"]
