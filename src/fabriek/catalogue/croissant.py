"""A dataset as Croissant 1.1: what tools for machine learning load it from."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fabriek.catalogue import columns
from fabriek.catalogue import told as facts
from fabriek.catalogue.columns import Column
from fabriek.catalogue.told import Told, ToldFile
from fabriek.catalogue.vocabulary import LICENCE_TEXTS, media_type
from fabriek.datasets.models import Licence

Json = dict[str, Any]
Columns = Mapping[str, Sequence[Column]]  # by the path of the file

PROFILE = "http://mlcommons.org/croissant/1.1"
# As the reference validator has it: the one printed in the specification it refuses.
CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
# More files than this are told as sets by their kind and folder: nobody reads ten thousand.
MOST_OBJECTS = 100
MOST_RECORD_SETS = 20
SPLIT = re.compile(r"(?:^|[^a-z])(train|training|validation|valid|dev|test)(?:[^a-z]|$)")
SPLITS = {"training": "train", "valid": "validation", "dev": "validation"}
GLOB_SIGNS = re.compile(r"[*?\[\]]")


def tables(told: Told) -> list[str]:
    """Name the files whose columns `written` wants to know."""
    files = told.files or ()
    if len(files) > MOST_OBJECTS:
        files = list(_first_of_each(files).values())
    return [file.path for file in files if columns.can_read(file.path)][:MOST_RECORD_SETS]


def written(told: Told, known: Columns) -> Json:
    """Write the whole. `known`: the columns of `tables`, as far as they could be read."""
    files = list(told.files or ())
    found = _metadata(told)
    if len(files) <= MOST_OBJECTS:
        found["distribution"] = [_file_object(told, file) for file in files]
        found["recordSet"] = [
            _record_set(path, known[path], {"fileObject": {"@id": _id("file", path)}})
            for path in known
        ]
    else:
        found["distribution"] = _file_sets(files)
        found["recordSet"] = [
            _record_set(glob, known[file.path], {"fileSet": {"@id": _id("files", glob)}})
            for glob, file in _first_of_each(files).items()
            if file.path in known
        ]
    found["recordSet"] += _splits(file.path for file in files)
    return {name: value for name, value in found.items() if value not in ([], "", None)}


def _metadata(told: Told) -> Json:
    texts = dict(told.texts)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "@id": told.url,
        "conformsTo": PROFILE,
        "name": dict(told.titles),
        "description": texts,
        "license": LICENCE_TEXTS.get(Licence(told.licence)) or f"{told.url}#licence",
        "url": told.url,
        "creator": _organisation(told.maker or told.owner),
        "publisher": _organisation(told.owner),
        "datePublished": (told.published_at or told.created_at).date().isoformat(),
        "dateCreated": told.created_at.date().isoformat(),
        "dateModified": told.modified_at.date().isoformat(),
        "citeAs": f"{told.owner} ({told.modified_at.year}). {told.title}. {told.url}",
        "keywords": [*told.keywords, *told.tasks],
        "inLanguage": list(told.languages),
        "version": f"{told.revision}.0.0" if told.revision is not None else "",
        "sameAs": facts.web_address(told.landing_page),
        "conditionsOfAccess": CONDITIONS.get(told.access, ""),
        "usageInfo": dict(told.policy) if told.policy else None,
        "rai:dataCollection": told.how_collected,
        "rai:personalSensitiveInformation": PERSONAL if told.has_personal_data else "",
    }


CONDITIONS = {
    "PUBLIC": "Open to everybody.",
    "RESTRICTED": "For who has an agreement with the owner; ask for it at the address of this "
    "dataset.",
    "NON_PUBLIC": "Not shared.",
}
PERSONAL = "Contains personal data, says its owner."


def _organisation(name: str) -> Json:
    return {"@type": "sc:Organization", "name": name}


# --- files ---------------------------------------------------------------------------------
def _file_object(told: Told, file: ToldFile) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": _id("file", file.path),
        "name": facts.written(file.path),
        "contentUrl": facts.resolved(told, file.path),
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": _format(file.path),
        "sha256": file.sha256,
    }


def _format(path: str) -> str:
    """Give the media type, for Parquet the one that Croissant chose before it had another."""
    found = media_type(path)
    return "application/x-parquet" if found.endswith("parquet") else found


def _file_sets(files: Iterable[ToldFile]) -> list[Json]:
    """Tell many files by folder and kind; they are found beside this file once fetched."""
    counted = Counter(_glob(file.path) for file in files)
    return [
        {
            "@type": "cr:FileSet",
            "@id": _id("files", glob),
            "name": facts.written(glob),
            "description": f"{count} files; fetch them with snapshot_download.",
            "encodingFormat": _format(glob),
            "includes": glob,
        }
        for glob, count in sorted(counted.items())[:MOST_OBJECTS]
    ]


def _glob(path: str) -> str:
    """Give `train/*.jpg` for a file in that folder; signs of globs in names stand for any."""
    folder, slash, name = path.rpartition("/")
    dot = name.rfind(".")
    ending = name[dot:] if dot > 0 else ""
    folder, ending = (GLOB_SIGNS.sub("?", part) for part in (folder, ending))
    return f"{folder}{slash}*{ending}"


# --- rows ----------------------------------------------------------------------------------
def _first_of_each(files: Iterable[ToldFile]) -> dict[str, ToldFile]:
    """Give one file of each set: the others are of the same kind and folder."""
    first: dict[str, ToldFile] = {}
    for file in files:
        first.setdefault(_glob(file.path), file)
    return dict(list(first.items())[:MOST_OBJECTS])


def _record_set(path: str, found: Sequence[Column], source: Mapping[str, Json]) -> Json:
    name = _id("rows", path)
    split = split_of(path)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": facts.written(path),
        "description": f"The rows of {facts.written(path)}"
        + (f", the {split} split." if split else "."),
        "field": [_field(name, column, source) for column in found],
    }


def _field(record_set: str, column: Column, source: Mapping[str, Json]) -> Json:
    found: Json = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{quote(column.name, safe='')}",
        "name": facts.written(column.name),
        "dataType": KINDS[column.kind],
        "source": {**source, "extract": {"column": column.name}},
    }
    if column.is_list:
        found |= {"isArray": True, "arrayShape": "-1"}
    return found


KINDS = {
    "Text": "sc:Text",
    "Integer": "sc:Integer",
    "Float": "sc:Float",
    "Boolean": "sc:Boolean",
    "Date": "sc:Date",
    "DateTime": "sc:DateTime",
}


def _splits(paths: Iterable[str]) -> list[Json]:
    """Name the splits that the files' names tell of."""
    found = list(dict.fromkeys(filter(None, map(split_of, paths))))
    if not found:
        return []
    return [
        {
            "@type": "cr:RecordSet",
            "@id": "splits",
            "name": "splits",
            "dataType": "cr:Split",
            "key": {"@id": "splits/name"},
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": "splits/name",
                    "name": "name",
                    "dataType": "sc:Text",
                }
            ],
            "data": [{"splits/name": split} for split in found],
        }
    ]


def split_of(path: str) -> str:
    found = SPLIT.search(path.lower())
    return SPLITS.get(found[1], found[1]) if found else ""


def _id(kind: str, path: str) -> str:
    """Name a part of the file so that no sign of a path can be taken for an address."""
    return f"{kind}-{quote(path, safe='')}"
