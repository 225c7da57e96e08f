"""What was delivered, and who pays what: readings, imbalance, netting, estimates, corrections, arrears.

`netting.py` holds the formulas, without state. A trade settles in full between buyer and seller; what the meter
differs from it is settled with the residual supplier alone.
"""
