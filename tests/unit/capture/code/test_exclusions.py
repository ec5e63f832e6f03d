from pathlib import Path

import pytest

from naga.capture.code.exclusions import Exclusions

SECRET = [
    *(".env", "a/.env.production", ".envrc", "local.env", "id_rsa", "id_ed25519", "ssh/id_ecdsa_work", "a/server.pem"),
    *("tls.key", "cert.p12", "cert.PFX", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials"),
    *("credentials", "credentials.json", "google-credentials.json", "Credentials.YAML", "aws/credentials.csv"),
    *(
        "secrets.toml",
        "secret.txt",
        "my_secret.yaml",
        "client_secret_1.apps.example.org.json",
        "secrets.prod.yaml",
        "api_key.txt",
        "apikeys.json",
    ),
    *("token", "hf_token.txt", ".vault-token", "github.token", "password.txt", "passwords.bak", "wandb-api-key.conf"),
    *(".ssh/known_hosts", ".aws/config", ".kaggle/kaggle.json", "home/.gnupg/x", "kubeconfig", "prod-kubeconfig.yaml"),
    *("service-account.json", "service_account_prod.json", "vault.kdbx", "home.ovpn", "prod.tfvars"),
]
CODE = [
    *(
        "credentials.py",
        "secrets.py",
        "token.py",
        "service_account.py",
        "added_tokens.json",
        "tokens.rs",
        "password.cpp",
        "keys/loader.py",
        "api_key.ipynb",
    ),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "key.py", "keyboard.json", "monkey.txt"),
    *("environment.yml", "env.py", "envs/base.yaml", "id_rsa.pub", "keynote.txt", "secretary.py", "dotenv.py"),
    *(
        "config/model.yaml",
        "Makefile",
        "run.sh",
        "passing.txt",
        "data.csv",
        "mlflow.py",
        "mlruns.py",
        "tests/test_env.py",
    ),
]


@pytest.mark.parametrize("path", SECRET)
def test_secrets_are_told_by_their_names(tmp_path: Path, path: str) -> None:
    """Names that tools give to files with secrets in them."""
    left = Exclusions(top=tmp_path, folders={}).why(path, untracked=False)
    assert left is not None
    assert left.reason == "looks like a secret"


@pytest.mark.parametrize("path", CODE)
def test_code_is_not_taken_for_a_secret(tmp_path: Path, path: str) -> None:
    """Nor is what tokenizers and environments are described by."""
    assert Exclusions(top=tmp_path, folders={}).why(path, untracked=True) is None


@pytest.mark.parametrize(("size", "untracked", "left"), [(0, True, False), (1, True, True), (1, False, False)])
def test_only_untracked_files_are_too_large(tmp_path: Path, size: int, *, untracked: bool, left: bool) -> None:
    """Up to 10 MiB and no byte more; a tracked file may be of any size."""
    with (tmp_path / "model.pt").open("wb") as file:
        file.truncate(10 * 1024 * 1024 + size)
    assert (Exclusions(top=tmp_path, folders={}).why("model.pt", untracked=untracked) is not None) is left


def test_the_folder_is_named_not_each_file(tmp_path: Path) -> None:
    """Relative to the repository, with a slash at its end; a file of that path has none."""
    left_out = Exclusions(
        top=tmp_path, folders={tmp_path / "results/a": "save_dir", tmp_path / "raw.csv": "tracked data"}
    )
    named = [left_out.why(path, untracked=True) for path in ("results/a/b/c.pt", "raw.csv", "results/ab.txt")]
    assert [one and (one.path, one.reason) for one in named] == [
        ("results/a/", "save_dir"),
        ("raw.csv", "tracked data"),
        None,
    ]
