"""Writes the built-in catalogue of models anew, from what it has and what `genai-prices` says.

The package knows prices and context windows; names, days of release, most output tokens, capabilities and equivalents it does not,
so these columns are kept where the table has them. A model that the package has and the table lacks is added, unless it is retired.
One that the table has and the package lacks stays as it is. Dated versions that cost the same stand under their model and repeat
nothing: what they leave out is read in its row, which stands before them.
"""

import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from genai_prices.data import providers
from genai_prices.types import ClauseEquals, ClauseOr, TieredPrices

# The table's name of a vendor, and the package's.
VENDORS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "azure": "azure",
    "mistral": "mistral",
    "cohere": "cohere",
    "groq": "groq",
    "together": "together",
    "perplexity": "perplexity",
    "deepseek": "deepseek",
    "xai": "x-ai",
}

# What is not offered any more, cannot be had on these paths (sessions, batches, another vendor's protocol), or is no name of the API.
RETIRED = re.compile(
    r"""
    .*:.* | .*-$
    | (ada|babbage|curie|davinci)(-002)? | text-davinci.* | text-embedding-ada.* | gpt-3\.5.* | gpt-4(-32k|-turbo|-vision-preview)?
    | gpt-4\.5.* | chatgpt-.* | codex-mini | computer-use | moderation | .*(realtime|-live).* | o1-mini | o1-preview | .*rosalind.*
    | gpt-4o-(mini-)?audio-preview | gpt-oss.*
    | claude-(2|v1|3.*|4-.*) | claude-(opus|sonnet)-4-0
    | gemini-(1\..*|2\.0.*|pro.*|flash-1.*|robotics.*|omni.*) | gemma-[23].* | google/gemma-[0-9]b | .*-live-.*
    | phi-3.* | wizardlm.* | mai-.*
    | mistral-(7b|tiny|saba|nemo|large|medium-2312|small-24b.*|small-3.*|ocr-25.*) | mixtral.* | pixtral.* | ministral-[38]b(-latest)?
    | voxtral-mini-transcribe-realtime.* | zai-.* | deepseek-v4-1-flash-1017
    | c4ai.* | command(-light)?
    | llama-3\.1-sonar.* | perplexity/.* | r1-.*
    | deepseek-r1-distill.* | gemma.*-it | llama-3\.(1-405b|1-70b|2|3-70b-specdec).* | llama-guard-3.* | llama[23].* | mixtral-.*
    | (Austism|Gryphe|Nexusflow|NousResearch|Open-Orca|Undi95|WizardLM|allenai|codellama|garage-bAInd|lmsys|microsoft|mistralai)/.*
    | (openchat|snorkelai|teknium|togethercomputer|upstage|zero-one-ai)/.* | Qwen/Qwen1.* | deepseek-ai/deepseek-coder.*
    | meta-llama/(Llama-[23]-|Meta-Llama-3-|Meta-Llama-3\.1-).* | moonshotai/kimi-k2-instruct
    | grok-2.* | grok-voice.* | deepseek-v3.*
    """,
    re.VERBOSE,
)

DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
COLUMNS = 9
ID, TITLE, RELEASED, WINDOW, MAX_OUTPUT, PRICES, CAPABILITIES, SNAPSHOT_OF, EQUIVALENTS = range(COLUMNS)


def amount(price):
    """A price: that of short inputs, where there are several."""
    return price.base if isinstance(price, TieredPrices) else price


def figure(price):
    """A price as the table writes it."""
    return "-" if price is None else f"{amount(price).normalize():f}"


def prices(model, day):
    """Input, cached input, cache write, output: by the dearest hour, where a vendor asks less at night."""
    hours = (model.get_prices(day + timedelta(hours=hour)) for hour in range(24))
    price = max(hours, key=lambda price: [amount(getattr(price, name, None) or 0) for name in ("input_mtok", "output_mtok")])
    draws = "image" in model.id and getattr(price, "output_image_mtok", None) is not None
    names = ["input_mtok", "cache_read_mtok", "cache_write_mtok", "output_image_mtok" if draws else "output_mtok"]
    words = [figure(getattr(price, name, None)) for name in names]
    while words and words[-1] == "-":
        words.pop()
    return " ".join(words)


def names(model):
    """The texts that are this model and cost the same."""
    clauses = model.match.or_ if isinstance(model.match, ClauseOr) else [model.match]
    return [clause.equals for clause in clauses if isinstance(clause, ClauseEquals)]


def released(name):
    """The day in a name, as the table writes it."""
    digits = DATED.search(name)[1].replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 else ""


def row(columns):
    """A line, without the empty columns at its end; the capabilities' is always there."""
    kept = max([CAPABILITIES] + [at for at, column in enumerate(columns) if column])
    return "|".join(columns[: kept + 1])


def sections(text):
    """The table as it is: the lines before the vendors, and each vendor's rows by id."""
    head, vendors = [], {}
    rows = None
    for line in text.splitlines():
        if line.startswith("@"):
            rows = vendors.setdefault(line[1:].split(" ")[0], (line, {}))[1]
        elif rows is None:
            head.append(line)
        else:
            columns = (line.split("|") + [""] * COLUMNS)[:COLUMNS]
            if columns[ID] in rows:
                sys.exit(f"{columns[ID]} stands twice under one vendor")
            rows[columns[ID]] = columns
    unknown = vendors.keys() - VENDORS.keys()
    if unknown:
        sys.exit(f"of no vendor that VENDORS has: {', '.join(sorted(unknown))}")
    return head, vendors


def renew(rows, provider, day):
    """A vendor's rows, with the package's figures."""
    for model in provider.models:
        is_named = model.is_match(model.id) and not RETIRED.fullmatch(model.id)
        # Claude at Google is spoken to in another way, by Vertex's own paths.
        is_foreign = provider.id == "google" and model.id.startswith("claude")
        if model.id not in rows and (not is_named or is_foreign or model.deprecated or not prices(model, day)):
            continue
        columns = rows.setdefault(model.id, [model.id] + [""] * (COLUMNS - 1))
        columns[PRICES] = prices(model, day) or columns[PRICES]
        # Whoever looked into a row has looked closer.
        columns[WINDOW] = columns[WINDOW] or str(model.context_window or "")
        for name in names(model):
            base = DATED.sub("", name)
            if name != model.id and base == model.id and not RETIRED.fullmatch(name):
                rows.setdefault(name, [name] + [""] * (COLUMNS - 1))
    for name, columns in rows.items():
        base = DATED.sub("", name)
        if base == name or base not in rows:
            continue
        columns[SNAPSHOT_OF] = base
        columns[RELEASED] = columns[RELEASED] or released(name)
        for at in (WINDOW, MAX_OUTPUT, PRICES, CAPABILITIES):
            if columns[at] == rows[base][at]:
                columns[at] = ""


def ordered(rows):
    """Dated versions behind their model, the rest as it came."""
    found = []
    for model in rows.values():
        if not model[SNAPSHOT_OF]:
            found += [model, *(other for other in rows.values() if other[SNAPSHOT_OF] == model[ID])]
    lost = rows.keys() - {columns[ID] for columns in found}
    if lost:
        sys.exit(f"versions of what is no model of the same vendor: {', '.join(sorted(lost))}")
    return found


def main(path, date, source):
    path = Path(path)
    head, vendors = sections(path.read_text())
    day = datetime.fromisoformat(date).replace(tzinfo=timezone.utc)
    of_package = {provider.id: provider for provider in providers}
    lines = list(head)
    for vendor, called in VENDORS.items():
        heading, rows = vendors.get(vendor, (f"@{vendor}", {}))
        others = [word for word in heading.split(" ")[2:] if not word.startswith("genai-prices")]
        renew(rows, of_package[called], day)
        lines.append(" ".join([f"@{vendor}", date, source, *others]))
        lines.extend(row(columns) for columns in ordered(rows))
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
