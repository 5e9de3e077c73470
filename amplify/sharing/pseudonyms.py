"""Names for people who did not give theirs: a colour, a bird and a number, e.g. "Amber Heron 41"."""

import secrets

COLOURS = (
    "Amber", "Apricot", "Azure", "Bronze", "Carmine", "Cobalt", "Copper", "Coral", "Crimson", "Ebony", "Emerald",
    "Golden", "Indigo", "Ivory", "Jade", "Lavender", "Lemon", "Lilac", "Magenta", "Maroon", "Mint", "Ochre", "Olive",
    "Opal", "Pearl", "Peach", "Plum", "Ruby", "Saffron", "Sapphire", "Scarlet", "Sepia", "Silver", "Teal",
    "Turquoise", "Violet",
)  # fmt: skip
BIRDS = (
    "Albatross", "Avocet", "Bunting", "Condor", "Cormorant", "Crane", "Curlew", "Dunlin", "Eider", "Falcon",
    "Flamingo", "Gannet", "Goldfinch", "Grebe", "Heron", "Hoopoe", "Ibis", "Jackdaw", "Kestrel", "Kingfisher",
    "Kite", "Lapwing", "Linnet", "Martin", "Nightjar", "Oriole", "Osprey", "Pelican", "Petrel", "Pipit", "Plover",
    "Puffin", "Robin", "Siskin", "Skylark", "Starling", "Stork", "Swallow", "Swift", "Tern", "Toucan", "Wagtail",
    "Warbler", "Waxwing", "Whimbrel", "Wren",
)  # fmt: skip


def pseudonym(attempt: int = 0) -> str:
    """A new pseudonym, about 150,000 of them; later attempts draw from longer numbers, so one comes free."""
    highest = 10 ** (2 + attempt // 5)
    number = highest // 10 + secrets.randbelow(highest - highest // 10)
    return f"{secrets.choice(COLOURS)} {secrets.choice(BIRDS)} {number}"
