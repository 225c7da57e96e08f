"""A community of recorded meters and the agents that trade for it. All of it lives outside the ledger.

How it fits together, from the file on disk to an intent:

- `scenario`: reads `scenarios/NAME/scenario.toml` and the sky table; strict, names file, key and remedy
- `community`: holds the recorded rows, moves batteries, advances registers; it alone knows the future
- `observation`: what an agent is shown (the past, the open market) and what it may ask for (intents)
- `forecast`, `forecast_learned`: possible courses of the hours ahead, made from the past alone, by like days or by
  trees; `forecast_errors` measures both
- `agents`: rules that turn an observation into intents, and a contract into a battery instruction, a file a kind
- `battery`, `battery_plan`, `battery_schedule`: the device behind the meter, the rules by which it runs, and its best
  use by dynamic programming
- `league`, `weeks`, `processes`: kinds of agents against each other, over homes, seeds and weeks
- `tariff_view`, `bills`: the time-of-use calendar, and the bill as it would be without a market

And from an intent to a settled market:

- `development_keys`, `genesis`: keys that anybody can derive, and the first state of a scenario's chain
- `driver`: agents and meters against a market, which it knows only as a `MarketPort`
- `engine_market`: the port to the solo engine in this process; `simulate`: runs it, `report`: adds it up
- `api_market`: the port to a gateway; `live`: the process that `gridtokenx up` runs, `market_folder`: its folder
- `visitors`: sites of visitors, whose meters repeat recordings; `faucet`: gives them account, site and play money,
  `faucet_desk`: the socket at which a gateway asks for that
- `auditor`: an independent second opinion on every block

The round of a driver, for each moment of chain time: `community.history` and the ledger's open book make an
`Observation`; `agent.decide` answers with intents; when an interval's gate has closed, `agent.instruct`
says how the battery shall keep the contract; when the interval is over, `community.meter` gives the
readings to sign.

What a driver must keep to, or agents would see the future: readings go to the ledger, not to agents, and what
an `Observation` carries of positions starts at the history's end. Intents may come too late (an order filled
meanwhile, a gate closed meanwhile): the ledger says no and the next decision puts it right.

Units: energy Wh, power W, prices millionths of a WATT per kWh, money millionths of a WATT, time ms UTC,
intervals numbered from the epoch in quarters of an hour. Integers throughout.
"""
