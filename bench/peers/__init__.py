"""The smallest servers there are: what the web stack costs before a product does anything."""
