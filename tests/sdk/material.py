"""What the tests send."""

from pydantic import BaseModel

HELLO = [{"role": "user", "content": "Hello"}]

#: The smallest PNG: one pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PIXEL = f"data:image/png;base64,{PNG}"
PDF = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"


def tool(name, **properties):
    """A tool in OpenAI's shape; the simulated model calls it with what its schema prescribes."""
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": f"The {name}", "parameters": parameters}}


WEATHER = tool("weather", city={"type": "string", "enum": ["Paris"]})
CLOCK = tool("clock")


class Event(BaseModel):
    """An answer that must fit a schema."""

    name: str
    participants: list[str]
    seats: int
