"""How the site logs: what each line tells beside its message, and how it is written."""
