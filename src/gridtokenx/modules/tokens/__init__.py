"""WATT: balances, holds, minting and redeeming against attested reserves, debts.

This module alone changes balances. Others ask for a hold, capture it (it becomes a payment), release it,
or pay; they never touch `Account` themselves.
"""
