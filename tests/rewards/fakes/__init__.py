"""Small servers that speak as the providers do, and refuse what those refuse."""
