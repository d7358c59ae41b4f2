# SPDX-License-Identifier: MIT
"""What a results folder is cited by: the size and the SHA-256 of each file of measured data."""
import hashlib
import os
from dataclasses import dataclass

from readings import plain_file

NAME = "SHA256SUMS"
KINDS = (".json", ".jsonl", ".csv")
DRAWN = "figures"  # made from the data, and anew by each report


@dataclass(frozen=True)
class DataFile:
    path: str  # from the results folder
    size_bytes: int
    sha256: str


def data_files(folder):
    """In the folder and below, those of the folder itself first."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != DRAWN and is_data(name))
        for name in sorted(names):
            if name.endswith(KINDS) and is_data(name):
                path = os.path.join(place, name)
                if not os.path.isfile(path):
                    continue
                with plain_file.opened(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                found.append(DataFile(os.path.relpath(path, folder), os.path.getsize(path), digest))
    return found


def is_data(name):
    """Files that are being written begin with a dot; sha256sum has no plain form for odd names."""
    return not name.startswith(".") and name.isprintable() and "\\" not in name


def text(files, folder, beside):
    """For `sha256sum -c` in the folder `beside`."""
    return "".join(f"{file.sha256}  {place(file, folder, beside)}\n" for file in files)


def place(file, folder, beside):
    return os.path.relpath(os.path.join(folder, file.path), beside)
