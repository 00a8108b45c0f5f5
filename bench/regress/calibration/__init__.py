"""How often ``regress`` is right: trials whose answer is known, and what is concluded from them."""
