"""The labelled requests that verdicts are measured on: made from tables of agents, replayed, and told as a table."""
