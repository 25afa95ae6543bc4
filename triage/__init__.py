"""
Escalation before the breach: a self-hosted worker for Salesforce Cases, Leads, Opportunities and other work items.

Read `triage.pipeline` first: `decide(facts, policy, now)` is the whole product in one pure call.
"""
