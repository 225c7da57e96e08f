"""The wires between the market's places: which routes lead from zone to zone, what each link carries in a delivery
interval and direction, and how much of it trades have used.

`topology.py` finds routes, `network.py` keeps what is free of an interval, `handlers.py` lets the grid's operators say
what their links carry.
"""
