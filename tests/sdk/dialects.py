"""What the gateway's providers speak: the rows of the matrix. Clients see the same API on every one of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """A provider and what sets it apart. Models are named as a request names them."""

    provider: str
    #: Answers at once.
    model: str
    #: Think, and show it when asked to. The later ones insist on the signatures of what they thought.
    thinkers: tuple[str, ...] = ()
    #: Think, and never show it.
    silent_thinkers: tuple[str, ...] = ()
    #: Images may be given by address.
    image_urls: bool = True
    #: Documents may be given as data.
    documents: bool = True
    #: The API can be made to call a tool whatever the model thinks of it.
    forces_tools: bool = True

    def __str__(self):
        return self.provider

    def fault(self, fault):
        """A model whose provider fails so: see `dragoman simulate --help`."""
        return f"{self.model}-sim-{fault}"


OPENAI = Dialect("openai", "openai/gpt-4o-mini", silent_thinkers=("openai/gpt-5-mini",))
ANTHROPIC = Dialect(
    "anthropic",
    "anthropic/claude-sonnet-4-5",
    thinkers=("anthropic/claude-sonnet-4-5", "anthropic/claude-opus-4-8"),
)
GEMINI = Dialect(
    "gemini",
    "gemini/gemini-2.5-flash",
    thinkers=("gemini/gemini-2.5-flash", "gemini/gemini-3-flash-preview"),
)
OLLAMA = Dialect(
    "ollama",
    "ollama/llama3.2",
    thinkers=("ollama/qwen3:8b",),
    image_urls=False,
    documents=False,
    forces_tools=False,
)

DIALECTS = (OPENAI, ANTHROPIC, GEMINI, OLLAMA)
THINKERS = tuple(model for dialect in DIALECTS for model in dialect.thinkers)
