"""The authorities: who runs the chain. Which organisations are members, with which powers; which of their nodes sign
batches and vote in consensus; what is proved against them, how they do, and what follows; and the stop of the market in
an emergency.

A chain without a consortium (`consortium_terms` is empty) has an office instead, which sets nodes and validators: for
development, and for a market on one machine.
"""
