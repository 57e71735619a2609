"""Where people have to log in, pictures and points are not for everybody else."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import held, routes, state
from tests.dashboard.test_routes import IDS, image_of, uid, view  # noqa: F401 - fixtures


@pytest.fixture
def client(filled):
    with TestClient(Starlette(routes=routes.routes())) as client:
        yield client


def test_without_a_login_nothing_is_asked(client, uid):  # noqa: F811
    address = state.thumb(uid, image_of(uid, IDS[0]))
    assert "pass=" not in address
    assert client.get(address).status_code == 200


def test_with_a_login_only_addresses_from_a_page_are_answered(client, uid, view, monkeypatch):  # noqa: F811
    image = image_of(uid, IDS[0])
    plain = [state.thumb(uid, image), state.picture(uid, image)]
    data = state.map_of(view, "pca")
    key = held.keep(data.revision, [0])
    plain += [u.format(row=0, key=key) for u in state.map_urls(view, data, "pca", "size", "1")]
    monkeypatch.setattr(state, "has_login", lambda: True)
    for address in plain:
        assert client.get(address).status_code == 403
        assert client.get(f"{address}&pass=guess").status_code == 403
    given = [state.thumb(uid, image), state.picture(uid, image)]
    given += [u.format(row=0, key=key) for u in state.map_urls(view, data, "pca", "size", "1")]
    for address in given:
        assert client.get(address).status_code == 200
