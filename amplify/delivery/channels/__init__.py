"""Delivery channels, one file each (see amplify.delivery.channel)."""
