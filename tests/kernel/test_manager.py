from __future__ import annotations

import subprocess
import sys

import pytest
from kernel_plugins import Engine, config_for, finder, options_plugin

from midspan import hookspecs, manager
from midspan.config import PluginsConfig
from midspan.errors import ConfigError, PluginError
from midspan.hookspecs import hookimpl
from midspan.pipeline import Pipeline


class Misspelt:
    @hookimpl
    def midspan_decod(self, request):
        return None


class WrongArgument:
    @hookimpl
    def midspan_decode(self, request, payload):
        return None


class DefaultArgument:
    @hookimpl
    def midspan_decode(self, request=None):
        return None


def broken():
    raise OSError("no licence")


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (Misspelt, "has 'midspan_decod', which is no hook; hooks are midspan_configure"),
        (WrongArgument, "payload"),
        (DefaultArgument, "midspan_decode gives its argument 'request' a default value"),
        (broken, "OSError: no licence"),
    ],
)
def test_a_plugin_that_cannot_be_used_stops_the_load(factory, reason):
    with pytest.raises(PluginError) as caught:
        manager.build_manager(PluginsConfig(("bad",)), finder(bad=factory))
    assert "plug-in 'bad' of dist-of-bad 1.0" in str(caught.value)
    assert reason in str(caught.value)


def test_a_missing_plugin_is_named_with_what_there_is():
    with pytest.raises(PluginError, match=r"'nosuch' .* enabled but not installed; installed are engine"):
        manager.build_manager(PluginsConfig(("nosuch",)), finder(engine=Engine))


def test_a_plugin_that_fails_to_import_is_named():
    found = finder(engine=Engine)()
    entry = type(found["engine"].entry_point)("gone", "no_such_module:Thing", "midspan")
    with pytest.raises(PluginError, match=r"dist-of-gone.*cannot be loaded from no_such_module:Thing: ModuleNotFound"):
        manager.build_manager(
            PluginsConfig(("gone",)), lambda: {"gone": manager.InstalledPlugin("gone", "dist-of-gone", entry)}
        )


def test_enabling_twice_is_refused():
    with pytest.raises(ConfigError, match=r"twice"):
        manager.build_manager(PluginsConfig(("engine", "engine")), finder(engine=Engine))


def test_options_are_checked_by_their_plugin(make_pipeline):
    plugin = options_plugin()
    loaded = make_pipeline(configured=plugin, options={"configured": {"loud": True}})
    assert loaded._plugins.get_plugin("configured").options.loud is True
    with pytest.raises(PluginError, match=r"dist-of-configured.*'plugins.configured.lout'; did you mean 'loud'"):
        make_pipeline(configured=plugin, options={"configured": {"lout": True}})
    with pytest.raises(PluginError, match=r"'engine' .* takes no options, got loud"):
        make_pipeline(engine=Engine, options={"engine": {"loud": True}})


def test_two_plugins_cannot_declare_one_parameter(make_pipeline):
    with pytest.raises(
        ConfigError, match=r"plug-in 'other' declares the parameter 'add', which belongs to plug-in 'en"
    ):
        make_pipeline(engine=Engine, other=Engine)


def test_closing_twice_closes_plugins_and_a_failing_one_does_not_stop_the_rest(make_pipeline):
    class Stubborn:
        @hookimpl
        def midspan_close(self):
            raise RuntimeError("never")

    pipeline = make_pipeline(stubborn=Stubborn, configured=options_plugin())
    pipeline.close()
    pipeline.close()
    assert pipeline._plugins.get_plugin("configured").closed == 2


def test_only_enabled_entry_points_are_imported(tmp_path):
    code = (
        "import sys; from midspan import manager; from midspan.config import PluginsConfig;"
        "manager.build_manager(PluginsConfig(('preprocess',)));"
        "assert 'midspan.builtin.preprocess' in sys.modules;"
        "assert 'onnxruntime' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failed_load_closes_what_was_open(tiny_bundle, tmp_path):
    closed = []

    class Closing:
        @hookimpl
        def midspan_configure(self, options, context):
            self.store = context.store
            raise ConfigError("no")

        @hookimpl
        def midspan_close(self):
            closed.append(self.store)

    with pytest.raises(PluginError, match=r"cannot be configured: no"):
        Pipeline.load(config_for(tiny_bundle, "closing"), find=finder(closing=Closing))
    assert closed[0]._db is None


@pytest.mark.parametrize(
    ("told", "reason"), [(ZeroDivisionError("oops"), "ZeroDivisionError: oops"), ([7], "Parameter")]
)
def test_a_plugin_that_cannot_declare_its_parameters_stops_the_load(tiny_bundle, told, reason):
    class Undeclared:
        @hookimpl
        def midspan_parameters(self):
            if isinstance(told, Exception):
                raise told
            return told

    with pytest.raises(PluginError, match=f"'undeclared' of .*cannot declare its parameters: .*{reason}"):
        Pipeline.load(config_for(tiny_bundle, "undeclared"), find=finder(undeclared=Undeclared))


def test_a_plugin_may_declare_no_parameters(tiny_bundle):
    class Silent:
        @hookimpl
        def midspan_parameters(self):
            return None

    Pipeline.load(config_for(tiny_bundle, "silent"), find=finder(silent=Silent)).close()


HOOKS = [name for name in vars(hookspecs) if name.startswith("midspan_")]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_contract_in_words(name):
    assert len(getattr(hookspecs, name).__doc__ or "") > 80


def test_hooks_are_listed_in_the_order_of_the_specifications():
    built = manager.build_manager(PluginsConfig(("engine",)), finder(engine=Engine))
    listed = manager.hooks_of(built, built.get_plugin("engine"))
    assert listed == ["midspan_parameters", "midspan_decode", "midspan_prepare", "midspan_run"]
