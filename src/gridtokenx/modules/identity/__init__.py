"""Who takes part and with what: roles, participants, accounts, sites, meters, zones and feeders.

Pseudonyms only: no name, address or document ever enters the chain.
"""
