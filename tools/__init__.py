"""The developer's tools: what keeps the checkout honest. None of them is shipped."""
