"""The base of all settings: frozen and checked, with a sentence on what is wrong."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_necroseg.core.errors import SettingsError

Precision = Annotated[
    Literal["auto", "fp32"],
    Field(title="Precision", description="auto: bfloat16 where the device has it. fp32: always 32 bits."),
]
Device = Annotated[
    str,
    Field(
        title="Device",
        description="Where the network runs: auto, cpu, cuda:0 or mps; necroseg devices lists them.",
    ),
]
Threads = Annotated[
    int | None,
    Field(ge=1, le=1024, title="CPU threads", description="CPU threads to use; all but one if not given."),
]


class Config(BaseModel):
    """A frozen set of settings, which refuses unknown names and values out of bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, /, **choices: object) -> Self:
        """Return the settings; a `SettingsError` names one that is unknown, wrong or contradictory."""
        try:
            return cls.model_validate(choices)
        except ValidationError as error:
            raise SettingsError(_first_problem(error)) from None

    def changed(self, /, **choices: object) -> Self:
        """Return a checked copy with some settings replaced."""
        return type(self).checked(**(self.model_dump() | choices))


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}." if place else f"{message[0].upper()}{message[1:]}."
