"""The custom objects and fields that our package adds to an organisation, by API name: the only place that knows."""

from __future__ import annotations

LOG = "Triage_Log__c"
"""One row an action: written in the same request as the action itself."""

LOG_KEY = "Key__c"
LOG_RECORD = "Record_Id__c"
LOG_OBJECT = "Object__c"
LOG_RULE = "Rule__c"
LOG_STEP = "Step__c"
LOG_ACTION = "Action__c"
LOG_TARGET = "Target__c"
LOG_TRIGGER = "Trigger__c"
LOG_SCORES = "Scores__c"
LOG_MODEL = "Model_Version__c"
LOG_DUE = "Due__c"
LOG_AT = "Acted_At__c"
LOG_STATUS = "Status__c"
LOG_TRIGGER_NAME = "Trigger_Name__c"
LOG_TEAM = "Team__c"
LOG_OUTCOME = "Outcome__c"

DONE, REFUSED, UNDONE = "done", "refused", "undone"
"""What an action came to: Outcome__c; empty while it is under way."""

LOOKUPS = {"Case": "Case__c", "Lead": "Lead__c", "Opportunity": "Opportunity__c"}
"""Which field of a log or score row refers to its record, by object; of any other object there is only its id."""

SCORE = "Triage_Score__c"
"""One child row a record: its scores and next escalation, so that the record itself is not modified by them."""

SCORE_RECORD = "Record_Id__c"
SCORE_URGENCY = "Urgency__c"
SCORE_LEAD = "Lead_Probability__c"
SCORE_SENTIMENT = "Sentiment__c"
SCORE_NEXT = "Next_Escalation__c"
SCORE_VALUES = "Values__c"

RULES = "Triage_Rule__mdt"
"""One record a rule, kept in Salesforce's setup; `metadata_rules.py` knows its fields."""

RULE_STATUS = "Triage_Rule_Status__c"
"""One row a rule record: what became of it."""

STATUS_KEY = "Key__c"
STATUS_RULE = "Rule__c"
STATUS_STATE = "State__c"
STATUS_ERROR = "Error__c"
STATUS_CHECKED = "Checked_At__c"
STATUS_SINCE = "In_Force_Since__c"

DEPLOYMENT = "Triage_Deployment__c"
"""One row: which deployment of ours acts on the organisation."""

DEPLOYMENT_KEY = "Key__c"
DEPLOYMENT_NAME = "Deployment__c"
DEPLOYMENT_SEEN = "Seen__c"

HOLD_UNTIL = "Triage_Hold_Until__c"
HOLD_REASON = "Triage_Hold_Reason__c"
"""Fields of a record with which a manager keeps rules off it."""

AVAILABLE = "Triage_Available__c"
"""Field of a user: online, on shift and below capacity, as the worker sees it."""

CLIENT = "triage"
"""How our calls name themselves (Sforce-Call-Options), so that change events say which of them are ours."""
