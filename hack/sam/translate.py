"""Translates SAM templates with AWS's own translator, offline.

    translate.py TEMPLATE...

prints a line of JSON for each template: {"template": ...}, or {"refused": [...]} with the translator's reasons. Parameters have their
defaults, the region is us-east-1, and the code of each function lies in a bucket, as after `sam package`.
"""

import datetime
import json
import logging
import sys

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse


class Session:
    """All that the translator asks of a session of boto3."""

    region_name = "us-east-1"


def plain(value):
    """Returns a copy of a parsed template as CloudFormation passes it on: dates are text, keys are text, nothing is shared."""
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value


def package(template):
    """Gives functions, state machines and applications what `sam package` uploads."""
    section = template.get("Globals")
    if isinstance(section, dict) and isinstance(section.get("Function"), dict):
        section["Function"].pop("CodeUri", None)  # each function has its own
    resources = template.get("Resources")
    for resource in resources.values() if isinstance(resources, dict) else []:
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        if not isinstance(properties, dict):
            continue
        if resource.get("Type") == "AWS::Serverless::Function":
            code = properties.get("CodeUri")
            if isinstance(code, str) and not code.startswith("s3://"):
                properties["CodeUri"] = "s3://bucket/code"
            if not any(key in properties for key in ("CodeUri", "InlineCode", "ImageUri")):
                properties["CodeUri"] = "s3://bucket/code"
        if resource.get("Type") == "AWS::Serverless::StateMachine" and not isinstance(properties.get("Definition"), dict):
            properties["DefinitionUri"] = "s3://bucket/definition"
        if resource.get("Type") == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = "s3://bucket/layer"
        if resource.get("Type") == "AWS::Serverless::Application":
            properties["Location"] = "https://s3.amazonaws.com/bucket/template"
        uri = properties.get("DefinitionUri")
        if isinstance(uri, str) and not uri.startswith("s3://"):
            properties["DefinitionUri"] = "s3://bucket/" + uri.lstrip("./")


def parameters(template):
    """Returns the values of parameters that are lists, as CloudFormation passes them on: a default of theirs is a text with commas."""
    declared = template.get("Parameters")
    values = {}
    for name, parameter in declared.items() if isinstance(declared, dict) else []:
        kind = str(parameter.get("Type")) if isinstance(parameter, dict) else ""
        if (kind == "CommaDelimitedList" or kind.startswith("List<")) and isinstance(parameter.get("Default"), str):
            values[name] = [item.strip() for item in parameter["Default"].split(",")]
    return values


def translate(text):
    template = plain(yaml_parse(text))
    package(template)
    translator = Translator({}, Parser(), boto_session=Session())
    try:
        return {"template": translator.translate(template, parameter_values=parameters(template))}
    except InvalidDocumentException as refusal:
        return {"refused": [cause.message for cause in refusal.causes]}
    except Exception as failure:  # AWS answers with an internal failure, and makes no API either.
        return {"refused": [f"{type(failure).__name__}: {failure}"]}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            print(json.dumps(translate(file.read())), flush=True)
