"""A numerical spine phantom with necrosis zones: for trying the program, never for judging the method."""
