"""Everything that a site needs, run by one command on one machine: broker, web, workers, beat."""
