"""How loud, how wrong, in how many rooms? What is measured of two sounds."""
