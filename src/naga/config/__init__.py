"""From what was declared and typed to one resolved configuration."""
