#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""validate.py SCHEMA DEFINITION FILE: holds JSON (or each line of JSON Lines) against the schema."""
import json
import sys

import jsonschema

schema_path, definition, path = sys.argv[1:]
with open(schema_path) as file:
    schema = json.load(file)
schema["$ref"] = "#/definitions/" + definition
validator = jsonschema.Draft7Validator(schema)
with open(path) as file:
    documents = [line for line in file] if path.endswith(("jsonl", "lines", "wrong", "line")) else [file.read()]
failures = 0
for number, text in enumerate(documents, 1):
    for error in validator.iter_errors(json.loads(text)):
        where = ".".join(str(part) for part in error.path)
        print(f"{path}:{number}: {where}: {error.message[:300]}")
        failures += 1
if not documents:
    sys.exit(f"{path}: empty")
sys.exit(1 if failures else 0)
