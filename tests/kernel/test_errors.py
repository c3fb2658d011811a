from __future__ import annotations

import pickle

import pytest

from midspan import errors

ARGUMENTS = {errors.PluginError: ("p", "dist 1", "why"), errors.PluginFailedError: ("p", "midspan_run", "why")}
CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_pickles_with_its_text(cls):
    error = cls(*ARGUMENTS.get(cls, ("some text",)))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code, again.status) == (cls, str(error), error.code, error.status)


def test_the_tree_is_drawn_whole_and_codes_are_unique():
    assert all(name in (errors.__doc__ or "") for name in errors.__all__)
    assert len({cls.code for cls in CLASSES}) == len(CLASSES)
    assert errors.__all__ == sorted(errors.__all__)
