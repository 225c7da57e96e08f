"""The consensus engine, built. `cometbft` lies in the environment's `bin/`; there is nothing to import."""
