"""Benchmarks that anybody can run: `gridtokenx bench NAME [--quick]`. Each prints text and one JSON object."""
