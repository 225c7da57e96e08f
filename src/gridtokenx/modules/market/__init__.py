"""Trading of delivery intervals: orders, the book, matching, depth. It moves no money.

`book.py` is the matching algorithm; `handlers.py` checks orders, asks tokens for holds and keeps positions.
"""
