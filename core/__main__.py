"""``python -m core COMMAND``: parse, call, print. The command line is a contract."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core.errors import CancelledError, CoreError
from core.progress import File, Progress, Report, Terminal
from core.settings import Settings
from core.showing import lines, printable
from core.sources import MAX_UM_PER_PX
from core.workspace import NO_ROOM, log

if TYPE_CHECKING:
    from core.edits import Change
    from core.library import Library, View
    from core.sources.vectors import VectorSource

Arguments = argparse.Namespace
Command = Callable[["Library", Arguments, Report], dict[str, Any]]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others, and that takes no shortened options:
    those of today could mean something else tomorrow.

    With `fill` its arguments are added when it is asked: other commands start without what those
    of `labels` import.
    """

    def __init__(self, *, fill: Callable[[Parser], None] | None = None, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self._fill = fill

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:  # said by the command itself, which has the help
            names = {option.lstrip("-"): option for option in self._option_string_actions}
            near = get_close_matches(unknown[0].lstrip("-"), names, n=1)
            meant = f" (did you mean {names[near[0]]}?)" if near else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise CoreError(f"{self.prog}: {message}; see `{self.prog} --help`")


def sample(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Draw and index the sample collection."""
    from core.indexing import index
    from core.sources.sample import SampleSource, draw_sample

    folder = library.workspace.root / "sample"
    with library.workspace.writing("sample"):
        draw_sample(
            folder,
            n=arguments.n,
            seed=arguments.seed,
            on_progress=lambda done, total: report(Progress("Drawing vignettes", done, total)),
        )
    done = index(
        library,
        collection=arguments.collection,
        source=SampleSource(folder, name="sample"),
        encoder=arguments.encoder,
        report=report,
    )
    made = library.catalogue.collection(arguments.collection)
    library.catalogue.set_options(made.uid, {**made.options, "drawn": True})
    if arguments.map:
        _map_and_cluster(library, arguments, report)
    return {"collection": arguments.collection, **done.as_json()}


def index_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Bring images into a collection."""
    source: str | None = arguments.source
    before = {collection.name for collection in library.catalogue.collections()}
    vectors = _ready_vectors(arguments)
    _refuse_unused(arguments, vectors is not None)
    if source is not None and source.startswith("chroma:"):
        from core.adopting import adopt

        done = adopt(
            library,
            source.removeprefix("chroma:"),
            collection=arguments.collection,
            made_by=arguments.made_by,
            report=report,
        )
    elif vectors is not None:
        from core.adopting import adopt_file

        done = adopt_file(
            library,
            vectors,
            collection=arguments.collection,
            encoder=arguments.encoder,
            made_by=arguments.made_by,
            report=report,
        )
    else:
        from core.indexing import index

        done = index(
            library,
            collection=arguments.collection,
            source=source,
            encoder=arguments.encoder,
            labels_from=arguments.labels,
            samples_from=arguments.samples,
            um_per_px=arguments.um_per_px,
            source_name=arguments.source_name,
            bounded=arguments.bounded,
            endpoint_url=arguments.endpoint_url,
            anonymous=arguments.anonymous,
            again=arguments.again,
            value_range=tuple(arguments.value_range) if arguments.value_range else None,
            report=report,
        )
    result = done.as_json()
    if done.indexed or done.updated or done.already:
        if arguments.map:
            _map_and_cluster(library, arguments, report)
    elif arguments.collection not in before:  # else a first try that failed is in everyone's way
        from core.managing import delete

        delete(library, arguments.collection)
        result["why"] = "No image could be used, so the collection was not made."
    return result


def look_command(_library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Say what a SOURCE is, before it is indexed."""
    from core.sources import open_source
    from core.sources.preview import look

    return look(
        open_source(
            arguments.source,
            name=arguments.source_name,
            labels=arguments.labels,
            samples=arguments.samples,
            um_per_px=arguments.um_per_px,
            bounded=arguments.bounded,
            endpoint_url=arguments.endpoint_url,
            anonymous=arguments.anonymous,
        )
    ).as_json()


def map_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Make a map and a clustering, as the pages do."""
    return _map_and_cluster(library, arguments, report)


def _ready_vectors(arguments: Arguments) -> VectorSource | None:
    """The vectors a file holds, unless an encoder is to make others of its images."""
    source: str | None = arguments.source
    if source is None or not source.lower().endswith((".npz", ".parquet")):
        return None
    if arguments.encoder is not None and not arguments.encoder.startswith("precomputed:"):
        return None
    from core.sources import open_source
    from core.sources.vectors import VectorSource

    opened = open_source(
        source,
        name=arguments.source_name,
        labels=arguments.labels,
        samples=arguments.samples,
        um_per_px=arguments.um_per_px,
        bounded=arguments.bounded,
        endpoint_url=arguments.endpoint_url,
        anonymous=arguments.anonymous,
    )
    return opened if isinstance(opened, VectorSource) else None


def _refuse_unused(arguments: Arguments, ready: bool) -> None:
    """What was asked for and would not happen is an error; `ready` are vectors of a file."""
    source: str | None = arguments.source
    store = source is not None and source.startswith("chroma:")
    elsewhere = store or ready
    given = {
        "--labels": arguments.labels != "none" and not ready,
        "--samples": arguments.samples != "none" and not ready,
        "--source-name": arguments.source_name is not None and not ready,
        "--endpoint-url": arguments.endpoint_url is not None and not ready,
        "--anonymous": arguments.anonymous and not ready,
        "--um-per-px": arguments.um_per_px is not None and store,
        "--encoder": arguments.encoder is not None and store,
        "--again": arguments.again and elsewhere,
        "--value-range": arguments.value_range is not None and elsewhere,
    }
    wrong = [option for option, there in given.items() if there]
    if wrong and elsewhere:
        raise CoreError(f"{', '.join(wrong)}: not for vectors made elsewhere ({source}); leave out")
    if wrong and source is None:
        raise CoreError(f"{', '.join(wrong)}: says how to read a SOURCE, and none was given")
    if arguments.made_by and not elsewhere:
        raise CoreError(
            "--made-by is for vectors made elsewhere (chroma:PATH#NAME, or a file of them); "
            "leave it out"
        )


def _map_and_cluster(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    from core.analysis import make_clustering, make_map
    from core.clustering import DEFAULT_METHOD

    collection = library.catalogue.collection(arguments.collection)
    view = library.vectors(collection, arguments.encoder)
    made = make_map(library, view, method="umap", seed=arguments.seed, report=report)
    make_map(library, view, method="pca", seed=arguments.seed, report=report)
    groups = make_clustering(
        library, view, method=DEFAULT_METHOD, seed=arguments.seed, report=report
    )
    return {"map": made, "clustering": groups}


def collections(library: Library, _arguments: Arguments, _report: Report) -> dict[str, Any]:
    """List collections."""
    from core.managing import summary

    return {"collections": summary(library)}


def delete(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Delete a collection, or one encoder's vectors of it."""
    from core.managing import delete

    return delete(library, arguments.collection, encoder=arguments.encoder)


def rename(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Give a collection another name."""
    from core.managing import rename

    return rename(library, arguments.collection, arguments.to)


def relocate(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Say that a source lies elsewhere now."""
    from core.managing import relocate

    return relocate(library, arguments.collection, arguments.source_name, arguments.to)


def rescale(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Fit the scale of descriptors anew."""
    from core.target import rescale

    fitted = rescale(
        library, collection=arguments.collection, encoder=arguments.encoder, report=report
    )
    return {"rescaled": arguments.collection, "fit_images": fitted}


def similar(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """The nearest matches of an image, a picture or a description."""
    from core import matching
    from core.columns import columns
    from core.filtering import Filter, check

    if arguments.unlike_from is not None and arguments.ids_from is None:
        raise CoreError("--unlike-from says what a set is not like; give the set with --ids-from")
    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    only = Filter.of(
        label=arguments.only_label,
        sample=arguments.only_sample,
        size_min=arguments.size_min,
        size_max=arguments.size_max,
        collapse=arguments.collapse,
        where=arguments.where,
    )
    known = columns(library, view) if only.active else None
    if known is not None:
        check(known, only)
    how: dict[str, Any] = {"k": arguments.k, "only": only, "known": known}
    if arguments.id is not None:
        return matching.similar_to_id(library, view, arguments.id, **how).as_json()
    if arguments.text is not None:
        return matching.similar_to_text(library, view, arguments.text, **how).as_json()
    if arguments.ids_from is not None:
        from core.taking import read_ids

        every = view.snapshot.ids
        ids = read_ids(Path(arguments.ids_from).expanduser(), every)
        away = arguments.unlike_from
        unlike = read_ids(Path(away).expanduser(), every) if away else ()
        return matching.similar_to_set(library, view, ids, unlike=unlike, **how).as_json()
    from core.sources.reading import read_bytes
    from core.sources.uri import quote_path

    path = Path(arguments.image).expanduser().absolute()
    return matching.similar_to_image(
        library,
        view,
        read_bytes(quote_path(path)),
        name=str(path),
        um_per_px=arguments.um_per_px,
        **how,
    ).as_json()


def project(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Make a map."""
    from core.analysis import make_map

    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    return make_map(library, view, method=arguments.method, seed=arguments.seed, report=report)


def cluster(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Make a clustering."""
    from core.analysis import make_clustering

    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    return make_clustering(
        library,
        view,
        method=arguments.method,
        k=arguments.k,
        fineness=arguments.fineness,
        name=arguments.name,
        seed=arguments.seed,
        report=report,
    )


def composition_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Count clusters or labels per sample, station, depth or date, with diversity."""
    from core.tabling import composition

    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    to = None if arguments.output is None else Path(arguments.output).expanduser().absolute()
    names = ("of", "clustering", "validated", "apart", "by", "where", "without", "order", "rarefy")
    asked = {name: getattr(arguments, name) for name in names}
    return composition(library, view, **asked, to=to, kind=arguments.table)


def clusters_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """What is in each cluster: its size, its most central images, a name it could have."""
    from core.columns import columns
    from core.grouping import grouping

    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    encode_text = None
    if arguments.guess:
        from core.matching import encoder_of

        encode_text = encoder_of(view).encode_text
    known = columns(library, view)
    return grouping(
        library, view, known, name=arguments.clustering, encode_text=encode_text
    ).as_json()


def edit_clusters(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """Rename, merge or dissolve clusters, move images; in a clustering of its own."""
    from core import editing

    if (arguments.ids_from is None) == (arguments.move is not None):
        raise CoreError("--move and --ids-from belong together: which images go where")
    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    if arguments.undo:
        if arguments.to is not None:
            raise CoreError("--as is for a new clustering; leave it out with --undo")
        return editing.undo(library, view, arguments.clustering, by=arguments.by)
    change = _change(arguments, view)
    return editing.edit(
        library, view, arguments.clustering, change, by=arguments.by, to=arguments.to
    )


def _change(arguments: Arguments, view: View) -> Change:
    from core import edits
    from core.taking import read_ids

    if arguments.rename is not None:
        number, name = arguments.rename
        return edits.Rename(cluster_number(number), name or None)
    if arguments.merge is not None:
        return edits.Merge(tuple(arguments.merge))
    if arguments.dissolve is not None:
        return edits.Dissolve(arguments.dissolve)
    ids = read_ids(Path(arguments.ids_from).expanduser(), view.snapshot.ids)
    places = {"new": None, "noise": edits.NOISE}
    to = arguments.move
    return edits.Move(tuple(ids), places[to] if to in places else cluster_number(to))


def cluster_number(text: str) -> int:
    """A cluster as it is named on the command line."""
    try:
        return int(text)
    except ValueError:
        raise CoreError(
            f"the cluster is {text[:80]!r}; expected its number, such as 3 (see `clusters`)"
        ) from None


def export_command(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Write a collection, or images of it, as a table, for EcoTaxa, as a zip or a contact sheet."""
    from core.exporting import PICTURED, export
    from core.taking import read_ids

    view = library.vectors(library.catalogue.collection(arguments.collection), arguments.encoder)
    to = Path(arguments.output).expanduser().absolute()
    ids = None
    if arguments.ids_from is not None:
        ids = read_ids(Path(arguments.ids_from).expanduser(), view.snapshot.ids)
    if arguments.format in PICTURED:
        return _export_pictures(library, view, arguments, ids, to, report)
    return export(
        library,
        view,
        to=to,
        format=arguments.format,
        vectors=arguments.vectors,
        clustering=arguments.clustering,
        ids=ids,
        report=report,
    )


def _export_pictures(
    library: Library,
    view: View,
    arguments: Arguments,
    ids: Sequence[str] | None,
    to: Path,
    report: Report,
) -> dict[str, Any]:
    from core.sheets import write_sheet
    from core.taking import PAGE_LIMIT, zip_of

    for option, given in (("--vectors", arguments.vectors), ("--clustering", arguments.clustering)):
        if given:
            raise CoreError(f"{option} is for tables; leave it out with --format zip or sheet")
    uid = view.collection.uid
    images = library.catalogue.images(uid, ids)
    if arguments.format == "sheet":
        return write_sheet(library, uid, images, to=to)
    limit = PAGE_LIMIT if arguments.bounded else None
    return zip_of(library, uid, images, to=to, limit=limit, report=report)


def doctor(library: Library, arguments: Arguments, report: Report) -> dict[str, Any]:
    """Compare catalogue, store, snapshot and thumbnails."""
    from core.doctor import examine

    return examine(library, repair=arguments.repair, report=report)


def selections_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """List selections that were kept; keep, show or forget one."""
    from core import selections
    from core.taking import read_ids

    collection = library.catalogue.collection(arguments.collection)
    workspace, uid = library.workspace, collection.uid
    if (arguments.keep is None) != (arguments.ids_from is None):
        raise CoreError("--keep NAME and --ids-from FILE go together; give both or neither")
    if arguments.keep is not None:
        known = list(library.catalogue.stamps(uid))
        ids = read_ids(Path(arguments.ids_from).expanduser(), known)
        selections.keep(workspace, uid, arguments.keep, ids)
    if arguments.forget is not None:
        selections.forget(workspace, uid, arguments.forget)
    if arguments.show is not None:
        return {"name": arguments.show, "ids": selections.load(workspace, uid, arguments.show)}
    kept = selections.kept(workspace, uid)
    return {"selections": [{"name": s.name, "images": s.images, "at": s.at} for s in kept]}


def jobs_command(library: Library, arguments: Arguments, _report: Report) -> dict[str, Any]:
    """List, cancel or continue jobs."""
    from core import jobs

    if arguments.cancel:
        jobs.read(library.workspace, arguments.cancel)
        jobs.cancel(library.workspace, arguments.cancel)
    if arguments.resume:
        jobs.resume(library.settings, arguments.resume)
    return {"jobs": [job.as_json() for job in jobs.listed(library.workspace)]}


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"it is {text!r}; expected a number such as 2.5")
    return value


def micrometres(text: str) -> float:
    """A pixel size."""
    value = number(text)
    if not 0 < value <= MAX_UM_PER_PX:
        raise argparse.ArgumentTypeError(
            f"the pixel size is {text} micrometres; expected more than 0 and at most "
            f"{MAX_UM_PER_PX:,.0f}"
        )
    return value


def seed(text: str) -> int:
    """What chance begins with."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"it is {text}; expected 0 to {2**32 - 1:,}")
    return value


def _shared(*, default: Any) -> Parser:
    """Options that stand before the command or after it."""
    shared = Parser(add_help=False, argument_default=default)
    shared.add_argument("--workspace", metavar="DIR", help="default: ./workspace")
    shared.add_argument("--store", metavar="URL", help="a `chroma run` server")
    shared.add_argument("--json", action="store_true", default=default, help="one JSON object")
    shared.add_argument("--job", help=argparse.SUPPRESS)
    return shared


def parser() -> Parser:
    """The command line of DESIGN, and its help."""
    shared = _shared(default=argparse.SUPPRESS)  # so that what stood before the command stays
    on_collection = Parser(add_help=False)
    on_collection.add_argument("--collection", required=True, metavar="NAME")
    on_collection.add_argument("--encoder", help="default: the one it was first indexed with")
    on_one_collection = Parser(add_help=False)
    on_one_collection.add_argument("--collection", required=True, metavar="NAME")
    chance = Parser(add_help=False)
    chance.add_argument("--seed", type=seed, default=0, help="default: %(default)s")
    mapped = Parser(add_help=False)
    mapped.add_argument("--map", action="store_true", help="then make a map and a clustering")

    reading = Parser(add_help=False)
    reading.add_argument("--labels", choices=("folder", "none"), default="none")
    reading.add_argument("--samples", choices=("folder", "none"), default="none")
    reading.add_argument("--um-per-px", type=micrometres, metavar="X")
    reading.add_argument("--source-name", metavar="S", help="what its ids begin with")
    reading.add_argument("--endpoint-url", metavar="URL", help="of an object storage not Amazon's")
    reading.add_argument("--anonymous", action="store_true", help="no credentials for s3://")
    reading.add_argument("--bounded", action="store_true", help=argparse.SUPPRESS)  # a page asked

    top = Parser(
        prog="python -m core",
        description="Plankton Explorer on the command line.",
        parents=[_shared(default=None)],
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, run: Command, *parents: Parser) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").strip().rstrip(".")
        made = commands.add_parser(
            name, parents=[shared, *parents], help=summary, description=summary
        )
        made.set_defaults(run=run)
        return made

    one = add("sample", sample, chance, mapped)
    one.add_argument("--n", type=int, default=1200, help="how many vignettes")
    one.add_argument("--collection", default="sample", metavar="NAME")
    one.add_argument("--encoder")

    one = add("index", index_command, on_collection, reading, chance, mapped)
    one.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="a folder or zip of pictures, FlowCam runs, IFCB bins or an EcoTaxa export; a table "
        "with a uri column; s3://BUCKET/PREFIX, https://...; vectors (.npz, .parquet, "
        "chroma:PATH#NAME); none: encode what the collection has",
    )
    one.add_argument("--made-by", metavar="ENCODER", help="for vectors made elsewhere")
    one.add_argument("--again", action="store_true", help="encode everything again")
    one.add_argument(
        "--value-range",
        nargs=2,
        type=number,
        metavar=("LOW", "HIGH"),
        help="black and white in images of more than 8 bits; default: found on the first run",
    )

    one = add("look", look_command, reading)
    one.add_argument("source", metavar="SOURCE", help="as for index")

    add("collections", collections)

    add("delete", delete, on_collection)

    one = add("rename", rename, on_collection)
    one.add_argument("--to", required=True, metavar="NAME")

    one = add("relocate", relocate, on_collection)
    one.add_argument("--source-name", metavar="S")
    one.add_argument("--to", required=True, metavar="PATH")

    add("rescale", rescale, on_collection)

    one = add("similar", similar, on_collection)
    query = one.add_mutually_exclusive_group(required=True)
    query.add_argument("--id")
    query.add_argument("--image", metavar="FILE")
    query.add_argument("--text")
    query.add_argument("--ids-from", metavar="FILE", help="images whose middle is looked around")
    one.add_argument("--unlike-from", metavar="FILE", help="images the matches are not to be like")
    one.add_argument("-k", type=int, default=24)
    one.add_argument("--um-per-px", type=micrometres, metavar="X", help="of the picture given")
    one.add_argument("--only-label", metavar="LABEL")
    one.add_argument("--only-sample", metavar="SAMPLE")
    one.add_argument("--size-min", type=number, help="longest side, µm if known, else pixels")
    one.add_argument("--size-max", type=number)
    one.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only such images, as often as wanted: label, sample, size or any metadata; "
        "NAME=VALUE, NAME>=X, NAME<=X; several values of one NAME are alternatives",
    )
    one.add_argument("--collapse", action="store_true", help="identical files count once")

    one = add("selections", selections_command, on_collection)
    one.add_argument("--keep", metavar="NAME")
    one.add_argument("--ids-from", metavar="FILE", help="with --keep: the ids, a line or row each")
    one.add_argument("--show", metavar="NAME", help="the ids of one")
    one.add_argument("--forget", metavar="NAME")

    one = add("project", project, on_collection, chance)
    one.add_argument("--method", choices=("umap", "pca"), default="umap")

    add("map", map_command, on_collection, chance)

    one = add("cluster", cluster, on_collection, chance)
    one.add_argument("--method", required=True, help="kmeans, agglomerative, hdbscan or evoc")
    one.add_argument("--k", type=int, help="how many clusters; kmeans and agglomerative")
    one.add_argument(
        "--fineness", type=int, default=0, metavar="N", help="-2 (coarser) to 2 (finer)"
    )
    one.add_argument("--name", metavar="CLUSTERING", help="default: the method's")

    one = add("composition", composition_command, on_collection)
    one.add_argument("--by", metavar="COLUMN", help="sample, station, depth_m... or all")
    one.add_argument("--of", choices=("cluster", "label"), default="cluster")
    one.add_argument("--clustering", metavar="NAME", help="default: the newest")
    one.add_argument("--validated", action="store_true", help="count only validated labels")
    one.add_argument(
        "--where", action="append", default=[], metavar="NAME=VALUE", help="as similar"
    )
    one.add_argument(
        "--apart",
        action="append",
        default=[],
        metavar="KIND",
        help="does not count as a kind, such as detritus; as often as wanted",
    )
    one.add_argument(
        "--without",
        choices=("apart", "out", "counted"),
        default="apart",
        help="images without a kind, such as noise: shown, but not in diversity; left out; or "
        "counted as kinds",
    )
    one.add_argument("--order", choices=("value", "date", "similar", "images"))
    one.add_argument(
        "--rarefy", type=int, metavar="N", help="default: the smallest sample's images"
    )
    one.add_argument("--table", choices=("wide", "long", "diversity"), default="wide")
    one.add_argument("-o", "--output", metavar="FILE.csv")
    one = add("clusters", clusters_command, on_collection)
    one.add_argument("--clustering", metavar="NAME", help="default: the newest")
    one.add_argument(
        "--guess", action="store_true", help="names by an encoder that reads text, as guesses"
    )

    one = add("edit-clusters", edit_clusters, on_collection)
    one.add_argument("--clustering", required=True, metavar="NAME")
    change = one.add_mutually_exclusive_group(required=True)
    change.add_argument("--rename", nargs=2, metavar=("N", "NAME"), help="an empty NAME: none")
    change.add_argument(
        "--merge", nargs="+", type=cluster_number, metavar="N", help="into the first"
    )
    change.add_argument("--move", metavar="N", help="where to: a number, new or noise")
    change.add_argument("--dissolve", type=cluster_number, metavar="N", help="to noise")
    change.add_argument("--undo", action="store_true", help="take the last edit back")
    one.add_argument("--ids-from", metavar="FILE", help="one id a line, or a .csv's column id")
    one.add_argument(
        "--as", dest="to", metavar="NAME", help='default: "NAME (edited)", once it is edited itself'
    )
    one.add_argument("--by", default="someone", metavar="WHO", help="who edits")

    def evaluate(made: Parser) -> None:
        from core import evaluate_commands

        evaluate_commands.register(made)

    what = "Measure what encoders are worth on the labelled images, with intervals"
    commands.add_parser(
        "evaluate",
        parents=[shared, on_one_collection, chance],
        help=what,
        description=what,
        fill=evaluate,
    )

    def labels(made: Parser) -> None:
        from core import label_commands

        label_commands.register(made, [shared, on_collection])

    what = "Decide what images are, take it back, look it up, carry it away and bring it in"
    commands.add_parser("labels", help=what, description=what, fill=labels)

    def screen(made: Parser) -> None:
        from core import apply_commands, screen_commands

        inner = made.add_subparsers(dest="screen_command", metavar="COMMAND", required=True)
        screen_commands.register(inner, [shared], [on_collection])
        apply_commands.register(inner, [shared])

    what = "A filter that decides which images to keep: train it, run it, check what it loses"
    commands.add_parser("screen", help=what, description=what, fill=screen)

    one = add("export", export_command, on_collection)
    one.add_argument("--format", required=True, help="csv, parquet, ecotaxa, zip or sheet")
    one.add_argument("--ids-from", metavar="FILE", help="one id a line, or a .csv's column id")
    one.add_argument("--bounded", action="store_true", help=argparse.SUPPRESS)  # a page asked
    one.add_argument("--vectors", action="store_true")
    one.add_argument("--clustering", metavar="NAME")
    one.add_argument("-o", "--output", required=True, metavar="FILE")

    one = add("doctor", doctor)
    one.add_argument("--repair", action="store_true")

    one = add("jobs", jobs_command)
    one.add_argument("--cancel", metavar="ID")
    one.add_argument("--continue", dest="resume", metavar="ID")
    return top


def run(arguments: Arguments) -> dict[str, Any]:
    """Run one parsed command; nothing but its result may reach stdout."""
    if hasattr(arguments, "alone"):  # needs no workspace
        with contextlib.redirect_stdout(sys.stderr):
            alone: dict[str, Any] = arguments.alone(arguments, Terminal())
        return alone
    from core.library import Library

    settings = Settings.from_environment(
        os.environ, workspace=arguments.workspace, store=arguments.store
    )
    library = Library.open(settings)
    try:
        if not arguments.job:
            with contextlib.redirect_stdout(sys.stderr):
                result: dict[str, Any] = arguments.run(library, arguments, Terminal())
            return result
        return _run_job(library, arguments)
    finally:
        library.close()


def _run_job(library: Library, arguments: Arguments) -> dict[str, Any]:
    from core import jobs

    with jobs.as_job(library.workspace, arguments.job) as folder:
        report = File(folder / "progress.json")
        library.workspace.on_wait = lambda command: report(
            Progress(f"Waiting for `{command}` to finish", 0, None)
        )
        try:
            result: dict[str, Any] = arguments.run(library, arguments, report)
        except CancelledError as error:
            jobs.finish(folder, state="cancelled", error=str(error))
            raise
        except CoreError as error:
            jobs.finish(folder, state="failed", error=one_line(error))
            raise
        except Exception as error:
            jobs.finish(folder, state="failed", error=f"our fault: {one_line(error)}")
            raise
        jobs.finish(folder, state="done", result=result)
        return result


def one_line(error: BaseException) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 done, 1 our fault, 2 the user's input, else what a command says."""
    # threads that spin while they wait take 2 to 4 times as long once anything else runs here
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold anything
    try:
        arguments = parser().parse_args(argv)
        result = run(arguments)
    except CoreError as error:
        log(f"error: {one_line(error)}")
        return 2
    except OSError as error:  # a place that cannot be written, outside `Workspace.writing`
        if error.errno not in NO_ROOM:
            raise
        where = f"{error.filename}: " if error.filename else ""
        log(f"error: {where}{one_line(error)}; allow it, free some space, or choose another place")
        return 2
    except CancelledError as error:
        log(str(error))
        return 130
    except KeyboardInterrupt:
        log("stopped; run the same command again and it continues where it was")
        return 130
    try:
        if arguments.json:
            plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
            print(json.dumps(result, ensure_ascii=plain, allow_nan=False))
        else:
            print("\n".join(getattr(arguments, "tell", lines)(result)))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, had enough
        sys.stdout = io.StringIO()
    return getattr(arguments, "code", 0)


if __name__ == "__main__":
    sys.exit(main())
