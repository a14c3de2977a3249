"""Files and the database that the agent and its verbs write."""
