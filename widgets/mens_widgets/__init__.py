"""How it looks: Textual widgets that know no domain."""
