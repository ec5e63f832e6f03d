"""Run the benchmarks that are named, or all: ``python -m benchmarks [overhead ...] [--save]``."""

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks._figures import save

is_release = "--save" in sys.argv
names = [word for word in sys.argv[1:] if word != "--save"]
for name in names or [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name[0] != "_"]:
    print(f"\n{name}\n{'-' * len(name)}")
    importlib.import_module(f"benchmarks.{name}").main()
if is_release:
    print(f"\n{save()}")
