"""The drawn plankton: shapes, substances, optics, kinds and hauls of the sample collection."""

from core.sources.drawing.camera import OBJECTIVES, objective, photograph
from core.sources.drawing.canvas import Pen
from core.sources.drawing.hauls import HAULS, Haul, Station
from core.sources.drawing.kinds import KINDS, Kind

__all__ = [
    "HAULS",
    "KINDS",
    "OBJECTIVES",
    "Haul",
    "Kind",
    "Pen",
    "Station",
    "objective",
    "photograph",
]
