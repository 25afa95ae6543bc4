"""
A Salesforce organisation of our own on this machine: strict like the real one, seeded, and told to misbehave.

`organisation.py` is what happens when a record is written, `schema.py` which objects there are, `soql.py` and
`answer.py` queries; `web.py` serves it over HTTPS, `pubsub.py` its change events over gRPC, `seeding.py` fills it.
It shares no code with our client but the messages in `wire.py`. Read `server.py` first.
"""

from triage.salesforce.sandbox.server import Sandbox

__all__ = ["Sandbox"]
