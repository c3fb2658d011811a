from midspan.deploy.ready import Health


def test_right(server):
    assert server.probe().health is Health.RIGHT
