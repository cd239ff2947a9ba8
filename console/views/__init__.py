"""What a record says, in words for people. Pure: states, facts and texts in, lines and tables out."""
