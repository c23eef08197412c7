"""An application that lets the first turn of each job wait until it is killed, and others do nothing."""
