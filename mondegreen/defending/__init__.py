"""Whether a defence helps: against files made without it, and against an attack that knows it."""
