"""Messages to people: rendered in their language and the brand's look, suppressed when unwanted, sent by a channel."""
