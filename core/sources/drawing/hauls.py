"""The made-up cruise: six stations from the coast to beyond the shelf edge, twelve samples.

The positions lie on a line out of the western English Channel; nothing was ever sampled there
for this collection.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Station:
    """Where samples were taken."""

    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Haul:
    """One sample: where, when, what light it was photographed in, what it is rich in."""

    station: Station
    date: str
    depth_m: int
    background: tuple[int, int, int]
    """Red, green and blue of empty water."""
    unevenness: float
    """How much darker the corners of the field of view are."""
    noise: float
    """Spread of the sensor's noise, in grey levels."""
    defocus: float
    """Typical blur, in pixels."""
    contrast: float
    crowding: float
    """Mean number of other particles in a vignette."""
    size: float
    """How many vignettes it has, in arbitrary units."""
    rich_in: dict[str, float] = field(default_factory=dict)
    """How many times commoner than usual each kind is; 1 where not named."""

    @property
    def name(self) -> str:
        """The sample's name: station, date and depth."""
        return f"{self.station.name}-{self.date.replace('-', '')}-{self.depth_m:03d}m"


COAST = Station("S1", 50.25, -4.22)
BAY = Station("S2", 50.03, -4.37)
SHELF = Station("S3", 49.62, -5.48)
MIDDLE = Station("S4", 49.18, -7.02)
EDGE = Station("S5", 48.55, -8.93)
OCEAN = Station("S6", 48.02, -10.35)

_BLOOM = {
    "chaetoceros": 3.5,
    "thalassiosira": 3.5,
    "thalassionema": 2.5,
    "pennate": 1.6,
    "centric": 1.5,
    "ceratium": 0.1,
    "dinophysis": 0.1,
    "cyanobacteria": 0.05,
    "radiolarian": 0.1,
    "foraminifera": 0.1,
}
_SUMMER = {
    "ceratium": 3.2,
    "protoperidinium": 2.4,
    "dinophysis": 3.0,
    "ciliate": 1.8,
    "cyanobacteria": 2.0,
    "chaetoceros": 0.25,
    "thalassiosira": 0.1,
    "thalassionema": 0.2,
}
_DEEP = {
    "detritus": 3.5,
    "faecal_pellet": 4.0,
    "radiolarian": 4.0,
    "foraminifera": 3.0,
    "fibre": 1.5,
    "chaetoceros": 0.1,
    "thalassiosira": 0.15,
    "pennate": 0.3,
    "ceratium": 0.1,
    "dinophysis": 0.05,
    "cyanobacteria": 0.05,
    "ciliate": 0.4,
}
_OPEN = {
    "radiolarian": 3.0,
    "foraminifera": 3.0,
    "cyanobacteria": 2.2,
    "tintinnid": 1.8,
    "appendicularian": 2.0,
    "pennate": 0.5,
    "chaetoceros": 0.4,
    "detritus": 0.6,
}
_GRAZED = {"copepod": 3.0, "nauplius": 3.0, "faecal_pellet": 2.2, "appendicularian": 2.5}

HAULS: tuple[Haul, ...] = (
    Haul(COAST, "2024-03-19", 5, (196, 199, 190), 0.06, 2.2, 0.6, 1.05, 0.9, 1.1, _BLOOM),
    Haul(BAY, "2024-03-20", 10, (186, 193, 178), 0.09, 2.6, 0.9, 1.0, 1.2, 1.2, _BLOOM),
    Haul(
        SHELF,
        "2024-04-16",
        15,
        (203, 205, 204),
        0.04,
        1.8,
        0.5,
        1.1,
        0.4,
        1.1,
        {**_BLOOM, **_GRAZED},
    ),
    Haul(MIDDLE, "2024-05-12", 10, (189, 190, 203), 0.07, 2.4, 0.8, 0.95, 0.4, 0.9, _GRAZED),
    Haul(
        EDGE, "2024-05-14", 20, (178, 185, 198), 0.08, 3.0, 1.0, 0.9, 0.3, 0.8, {**_OPEN, **_GRAZED}
    ),
    Haul(OCEAN, "2024-05-15", 400, (160, 163, 168), 0.12, 4.2, 1.3, 0.85, 0.5, 0.8, _DEEP),
    Haul(COAST, "2024-07-09", 5, (205, 201, 186), 0.05, 2.0, 0.6, 1.05, 0.8, 1.2, _SUMMER),
    Haul(
        BAY,
        "2024-07-10",
        10,
        (198, 192, 178),
        0.08,
        2.6,
        0.9,
        1.0,
        0.7,
        1.0,
        {**_SUMMER, "bubble": 3.0},
    ),
    Haul(
        SHELF,
        "2024-08-21",
        25,
        (176, 178, 172),
        0.10,
        3.0,
        1.1,
        0.9,
        0.5,
        0.9,
        {**_SUMMER, **_GRAZED},
    ),
    Haul(OCEAN, "2024-08-24", 30, (208, 211, 215), 0.04, 1.8, 0.5, 1.1, 0.2, 1.0, _OPEN),
    Haul(MIDDLE, "2024-10-03", 80, (168, 170, 164), 0.12, 3.6, 1.2, 0.9, 0.7, 0.8, _DEEP),
    Haul(
        COAST,
        "2024-11-12",
        5,
        (184, 178, 165),
        0.08,
        3.2,
        1.0,
        1.0,
        1.6,
        1.0,
        {
            "detritus": 2.2,
            "pennate": 1.8,
            "centric": 1.8,
            "fibre": 2.5,
            "bubble": 1.6,
            "ceratium": 0.4,
        },
    ),
)
