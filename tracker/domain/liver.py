"""What liver values are held against: multiples of each result's own upper limit of normal (ULN), and a window.

Source: FDA guidance on drug-induced liver injury, 2009 (composite rules L1 to L4); 30 days: default of hep-explorer.
"""

from decimal import Decimal

AMINOTRANSFERASES = ("ALT", "AST")
TWICE, THRICE = Decimal(2), Decimal(3)
WINDOW_DAYS = 30  # values that far apart may belong to one injury
