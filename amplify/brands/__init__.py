"""Brands (tenants), their business lines and locations, theme, languages and policies."""
