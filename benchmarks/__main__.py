"""Run the benchmarks that are named, or all: ``python -m benchmarks [overhead ...]``."""

import importlib
import pkgutil
import sys

import benchmarks

names = sys.argv[1:] or [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name[0] != "_"]
for name in names:
    print(f"\n{name}\n{'-' * len(name)}")
    importlib.import_module(f"benchmarks.{name}").main()
