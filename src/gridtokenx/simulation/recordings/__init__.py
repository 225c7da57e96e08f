"""A community out of a person's own recordings: exports of meters and inverters become a scenario folder.

The way of a file, each step a module: `text` (bytes to rows) → `times` (which columns are time) → `layout` (one
channel a meter) → `meaning` and `clock` (role, site, unit; zone, interval, begin or end) → `series` (energy in
quarters) → `sites` (load and PV of a site) → `repair` (what cannot be, what is missing) → `window` (which days) →
`devices` and `tariff` → `folder` (written whole or not at all). `convert` strings them together; `words` is the
vocabulary.

Two guarantees. Nothing is guessed silently: a `Finding` that neither the file nor its owner makes sure stops the way
and names the flag that settles it. Nothing is mended silently: every line that is left out, filled or doubted is a
`Trouble` with file, line, reason and what was done.
"""
