"""The catalogue's tables."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

tables = MetaData()

collections = Table(
    "collections",
    tables,
    Column("uid", String, primary_key=True),  # everything else is keyed by it: renaming is free
    Column("name", String, nullable=False, unique=True),
    Column("created", String, nullable=False),
    Column("deleted", String),  # a deleted collection keeps its row, so labels find it again
    Column("encoder", String, nullable=False),  # the one it was first indexed with
    Column("revision", Integer, nullable=False),  # counts every change to its images
    Column("options", JSON, nullable=False),
)

roots = Table(
    "roots",
    tables,
    Column("collection", String, primary_key=True),
    Column("source", String, primary_key=True),  # the SOURCE of ids
    Column("root", String, nullable=False),
)

images = Table(
    "images",
    tables,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("collection", String, nullable=False),
    Column("id", String, nullable=False),
    Column("source", String, nullable=False),
    Column("inner", String, nullable=False),
    Column("stamp", String, nullable=False),
    Column("content_hash", String, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("um_per_px", Float),
    Column("sample", String),
    Column("metadata", JSON, nullable=False),
    UniqueConstraint("collection", "id"),
)

encodings = Table(
    "encodings",
    tables,
    Column("collection", String, primary_key=True),
    Column("encoder", String, primary_key=True),
    Column("created", String, nullable=False),
    Column("generation", Integer, nullable=False),  # counts refits: a new one replaces all vectors
    Column("identity", JSON, nullable=False),
    Column("fit", JSON),
    Column("made_by", String),  # for vectors made elsewhere: the encoder they were shown to be of
    Column("provenance", JSON, nullable=False),
)

label_events = Table(
    "label_events",
    tables,
    Column("event", Integer, primary_key=True, autoincrement=True),
    Column("collection", String, nullable=False),
    Column("image", String, nullable=False),
    Column("label", String),
    Column("status", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", String, nullable=False),
    Column("how", String, nullable=False),
    Column("confidence", Float),
    Column("reason", String),
    Column("action", String, nullable=False),
    Index("label_events_by_image", "collection", "image", "event"),
)
