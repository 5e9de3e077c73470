"""An honest demo: a made-up hotel brand with ninety days of history, made by the real services at past instants."""
