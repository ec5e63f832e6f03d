import ast

import pytest

from naga.capture.code.source_secrets import redact_source

SECRET = [
    'password = "canary"',
    "password: str = 'canary'",
    'token = f"canary{1}"',
    "api_key = b'canary'",
    'api_key = """canary\ntwo"""; é = 1; token = "canary"',
    'secret = ("canary" "canary")',
    'a, secret = 1, "canary"',
    'cfg.password = "canary"',
    'cfg["db"]["password"] = "canary"',
    'x = {"user": "ana", "password": "canary"}',
    'login(token="canary")',
    'huggingface_hub.login("canary")',
    'client.set_api_key("canary")',
    'os.environ["KEY"] = "canary"',
    'os.environ["OPENAI_API_KEY"] = other or "canary"',
    'os.environ.setdefault("MY_PASS", "canary")',
    'os.putenv("X_TOKEN", "canary")',
    'setattr(cfg, "token", "canary")',
    'def f(a, token="canary", *, password="canary"): pass',
    'if (pw := 1) and password == "canary": pass',
    "password = 1234567",
    "%env HF_TOKEN=canary",
    "%env HF_TOKEN canary",
    "!export AWS_SECRET_ACCESS_KEY=canary; mysql --password canary",
    "%%bash\nexport TOKEN=canary",
    "def broken(:\n    password = 'canary'",
    'print("ghp_canarycanarycanary")',
    'open("https://ana:canary@example.org")',
]
CODE = [
    'lr = 0.1; name = "token"; mode = "secret"',
    "token = 8; max_tokens = 4096; pad_token = '<pad>'",
    'token = os.environ["HF_TOKEN"]; key = getpass("Key: ")',
    'for key, value in {"key": "one"}.items(): pass',
    "%matplotlib inline\n!ls -la\nx = 1 if y else 2",
    "a = 1\r\nb = 'two'\r\n",
    "",
]


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_is_taken_out(text: str) -> None:
    """Wherever a literal is given to a name that secrets have; code stays code."""
    redacted = redact_source(text)
    assert "canary" not in redacted
    assert "1234567" not in redacted
    assert "<redacted>" in redacted
    if not text.startswith(("%", "!", "def broken")):
        ast.parse(redacted)


@pytest.mark.parametrize("text", CODE)
def test_other_code_stays_as_it_is(text: str) -> None:
    """To the last character."""
    assert redact_source(text) == text
