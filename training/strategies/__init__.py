"""Query strategies: functions over stored scores and vectors, found through the registry."""
