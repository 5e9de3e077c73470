"""What every floor stands on: settings, database, clock, errors, tokens, i18n, security, jobs, paths."""
