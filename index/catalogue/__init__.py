"""The package's own files turned into model facts and published evidence: `Catalogue.load()`.

names.py finds a model however it is spelled; check.py says what is wrong with the data; convert.py made
the files.
"""

from index.catalogue.catalogue import Catalogue, unknown_model
from index.catalogue.read import QuantizationPair

__all__ = ["Catalogue", "QuantizationPair", "unknown_model"]
