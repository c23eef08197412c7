"""What `bench/faults.py` needs: people who do not give up, and back ends that may be broken."""
