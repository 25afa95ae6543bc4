"""The one room that knows Salesforce: its metadata read into our policies, and its own escalation semantics, literally."""
