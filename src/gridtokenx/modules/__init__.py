"""The rules, one house each with three rooms.

`messages.py`: what can be asked, with its codes. `state.py`: keys, records, invariants. `handlers.py`: the
rules, ending in the `MODULE` card. Modules form a ladder, tokens < identity < market < settlement: a higher
one calls a lower one's functions directly, never the reverse.
"""
