"""The web: alerts come in, signed pages are acknowledged, the board and the health are shown."""
