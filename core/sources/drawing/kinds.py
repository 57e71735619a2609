"""Which kinds are drawn, how large each grows, and how common it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.sources.drawing import copepods, debris, diatoms, dinoflagellates, larvae, protists
from core.sources.drawing.canvas import Pen
from core.sources.drawing.shapes import Rng


@dataclass(frozen=True)
class Kind:
    """One kind of particle."""

    name: str
    living: bool
    low_um: float
    high_um: float
    """Smallest and largest length drawn, in micrometres."""
    share: float
    """Of all vignettes, in arbitrary units; 20 is rare, 150 common."""
    draw: Callable[[Pen], None]

    def length(self, rng: Rng) -> float:
        """A length in micrometres; small ones are commoner, as they are at sea."""
        return float(self.low_um * (self.high_um / self.low_um) ** rng.beta(1.6, 2.2))


KINDS: tuple[Kind, ...] = (
    Kind("chaetoceros", True, 50, 260, 105, diatoms.chaetoceros),
    Kind("thalassiosira", True, 50, 300, 70, diatoms.thalassiosira),
    Kind("thalassionema", True, 60, 180, 45, diatoms.thalassionema),
    Kind("pennate", True, 30, 160, 110, diatoms.pennate),
    Kind("centric", True, 25, 180, 80, diatoms.centric),
    Kind("cyanobacteria", True, 80, 600, 50, diatoms.cyanobacteria),
    Kind("ceratium", True, 110, 300, 75, dinoflagellates.ceratium),
    Kind("protoperidinium", True, 35, 100, 75, dinoflagellates.protoperidinium),
    Kind("dinophysis", True, 40, 85, 35, dinoflagellates.dinophysis),
    Kind("tintinnid", True, 60, 220, 50, protists.tintinnid),
    Kind("ciliate", True, 25, 100, 55, protists.ciliate),
    Kind("radiolarian", True, 70, 260, 24, protists.radiolarian),
    Kind("foraminifera", True, 90, 400, 20, protists.foraminifera),
    Kind("copepod", True, 380, 950, 80, copepods.copepod),
    Kind("nauplius", True, 110, 330, 50, larvae.nauplius),
    Kind("appendicularian", True, 400, 1000, 22, larvae.appendicularian),
    Kind("faecal_pellet", False, 80, 450, 45, debris.faecal_pellet),
    Kind("detritus", False, 30, 650, 150, debris.detritus),
    Kind("fibre", False, 250, 1000, 35, debris.fibre),
    Kind("bubble", False, 30, 400, 44, debris.bubble),
)
