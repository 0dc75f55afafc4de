from ..protocol.run import Target
def test_x(): assert Target.__module__ == "tests.protocol.run"
