"""What is measured, against what, one command: `python3 run.py bench NAME`. Ratios count; absolute figures drift."""
