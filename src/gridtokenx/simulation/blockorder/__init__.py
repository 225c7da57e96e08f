"""What those gain who cheat with the order inside a block.

Recorded order flow (`flow`) is executed again by the real ledger, block after block (`replay`), with dealers added that
know more than others: whoever proposes the block or runs a gateway (`front_runner`), or hears of an event earlier
(`racer`). `study` plays them over seeds, with the rule of the draw and without it. `docs/block-order.md` says what it
found.

What is modelled, and how:

- *Blocks* are those of `ledger.block.apply_block`. "Without the rule" is a block of the cheat's own transactions just
  before the one with everybody else's: it stands first whenever it likes. "With the rule" its transactions stand in the
  same block, where the draw puts them; it knows the draw before it sends.
- *The others* do what they did when the flow was recorded: they do not notice, and do not react. Their orders in one
  minute of the recording stand in one block.
- *Gains* are what the ledger paid: balances after everything is settled, fees and wheeling of both legs included.
"""
