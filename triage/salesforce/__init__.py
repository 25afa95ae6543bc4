"""The one room that knows Salesforce: its metadata as our policies, and its own escalation semantics, literally."""
