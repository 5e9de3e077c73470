"""The quote card: the picture that networks show of a link, 1200 x 630, made of the customer's own words.

`content` says what stands on it, `drawing` makes the picture, `store` keeps it; `tracking.card_views` serves it.
"""
