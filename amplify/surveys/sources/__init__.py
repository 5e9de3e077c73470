"""Where answers come from by a signed post, one file each; see amplify.surveys.source for what a source is."""
