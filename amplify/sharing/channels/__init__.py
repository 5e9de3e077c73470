"""Share channels, one file each (see amplify.sharing.channel and docs/extending.md)."""
