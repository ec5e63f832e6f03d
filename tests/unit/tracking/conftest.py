"""A real store for the modules that read and write one, made once; each test has an experiment of its own."""

from integration.diagnose.conftest import clean_mlflow, migrated, project, shared_uri, store

__all__ = ["clean_mlflow", "migrated", "project", "shared_uri", "store"]
