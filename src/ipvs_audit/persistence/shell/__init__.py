"""How a shell reads a line: words, commands, pipes. Knows neither hosts nor hooks."""
