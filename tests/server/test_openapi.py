"""The OpenAPI documents are valid, complete, and say what the server does."""

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.house import Hints
from server.openapi import admin_document, api_document, client_document
from server.pages import index_page, language_of, reference_page
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.server.conftest import OPERATIONS, Asked

ALL_OPERATIONS = build(Settings()).operations


@pytest.mark.parametrize("document", [client_document, admin_document])
@pytest.mark.parametrize("operations", [OPERATIONS, ALL_OPERATIONS], ids=["small", "whole"])
def test_documents_are_valid_openapi(document, operations):
    OpenAPIV31SpecValidator(document(operations, version="1")).validate()


def test_the_document_of_the_server_api_is_valid_openapi():
    api = build(Settings()).api

    assert api is not None
    written = msgspec.json.decode(msgspec.json.encode(api_document(api, version="1")))
    OpenAPIV31SpecValidator(written).validate()


def test_every_operation_is_in_exactly_one_document():
    documents = [each(ALL_OPERATIONS, version="1") for each in (client_document, admin_document)]

    described = sorted(
        operation["operationId"]
        for document in documents
        for methods in document["paths"].values()
        for operation in methods.values()
    )

    assert described == sorted(each.name for each in ALL_OPERATIONS)


def test_each_gateway_has_its_own_paths():
    assert all(
        path.startswith("/v1/") for path in client_document(ALL_OPERATIONS, version="1")["paths"]
    )
    assert all(
        path.startswith("/admin/v1/")
        for path in admin_document(ALL_OPERATIONS, version="1")["paths"]
    )


def test_what_streams_is_said_to_be_lines():
    follow = client_document(OPERATIONS, version="1")["paths"]["/v1/letters/arriving"]["get"]

    assert set(follow["responses"]["200"]["content"]) == {"application/x-ndjson"}


def test_fields_are_where_the_server_reads_them():
    written = client_document(OPERATIONS, version="1")["paths"]["/v1/boxes/{box}/letters"]["post"]

    (box,) = written["parameters"]
    body = written["requestBody"]["content"]["application/json"]["schema"]
    assert (box["name"], box["in"], box["required"]) == ("box", "path", True)
    assert sorted(body["properties"]) == ["body", "copies", "subject"]
    assert body["required"] == ["subject", "body"]
    assert body["additionalProperties"] is False
    assert written["x-rpc"] is True


def test_refusals_are_documented_with_their_codes():
    read = client_document(OPERATIONS, version="1")["paths"]["/v1/letters/{id}"]["get"]

    assert "`letter.lost`: Nobody knows where it is." in read["responses"]["404"]["description"]
    assert {"400", "401", "403", "429"} <= set(read["responses"])


async def test_both_documents_are_served(asked: Asked):
    for path in ("/v1/openapi.json", "/admin/v1/openapi.json"):
        answer = await asked.http.get(path)
        assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")


async def test_the_reference_can_be_read_without_scripts(asked: Asked):
    page = (await asked.http.get("/docs")).text

    assert "letters.write" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


async def test_the_first_page_says_what_to_try(asked: Asked):
    page = (await asked.http.get("/")).text

    assert "zaffa chat --user amina" in page
    assert "ws://zaffa.test/connection/websocket" in page
    assert 'href="/docs"' in page


async def test_the_first_page_speaks_arabic_from_right_to_left(asked: Asked):
    answer = await asked.http.get("/", headers={"accept-language": "ar-DZ,fr;q=0.8"})

    assert '<html lang="ar" dir="rtl">' in answer.text
    assert answer.headers["vary"] == "accept-language"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "en"),
        ("de, fr;q=0.5", "fr"),
        ("fr;q=0.2, ar;q=0.9", "ar"),
        ("ar;q=x", "en"),
        ("fr;q=0", "en"),
    ],
)
def test_the_language_is_the_best_one_we_speak(accepted, language):
    assert language_of(accepted) == language


def test_what_is_shown_is_escaped():
    hints = Hints(chats=[("x", "<b>")], pushes="<i>")

    page = index_page(url="http://x/<u>", languages="", hints=hints)

    assert not {"<b>", "<i>", "<u>"} & {page[i : i + 3] for i in range(len(page))}


def test_the_reference_names_every_operation():
    documents = {"/v1/openapi.json": client_document(ALL_OPERATIONS, version="1")}

    page = reference_page(documents)

    for operation in ALL_OPERATIONS:
        assert (f'id="{operation.name}"' in page) is (operation.scope is None)
