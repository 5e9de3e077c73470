"""What is broken on purpose: `python3 run.py faults NAME [--kills N]`. Each fault also catches a planted bug."""
