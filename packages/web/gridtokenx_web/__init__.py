"""The built page of the market: `dist/` beside this file holds what the gateway serves at `/`, and the template of
the report that `gridtokenx simulate --report` fills in."""
