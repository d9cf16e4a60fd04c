"""JupyterLab itself: what it may do, where it listens, and when it stops by itself.

Nothing of it listens on a port: the server has a socket in a folder of its account, and so
have the kernels. Nothing of it fetches from the network: no news, no look for updates, no
shop for extensions.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jupyterlab.labapp import LabApp
from tornado.ioloop import PeriodicCallback
from traitlets.config import Config

from fabriek_recipes.events import Events
from fabriek_recipes.lab import shell
from fabriek_recipes.lab.files import lay_out
from fabriek_recipes.lab.knobs import READY, Knobs
from fabriek_recipes.lab.place import made, socket_in, token_in
from fabriek_recipes.run_folder import Manifest
from fabriek_recipes.words import Failed, Sentence, _

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from tornado.web import RequestHandler

# They ask the person for leave to fetch news, and offer a shop that is closed.
LEFT_OUT = (
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension",
)
LOOKING = {"GET", "HEAD", "OPTIONS"}
# Often enough that nobody pays for minutes in which nothing happens.
LOOK_EVERY_S = 5.0
# Longer than it takes to begin, which the engine counts too, and to end in order.
LEAVE_EARLY_S = 20


def serve(folder: Path, manifest: Manifest, knobs: Knobs, events: Events) -> None:
    """Serve until SIGTERM, until somebody shuts it down, or until nothing happens any more."""
    work = lay_out(folder, manifest)
    try:
        place = made(manifest.key)
    except OSError as why:
        raise Failed(
            "no_place", _("The node has no room for this session; start it again.")
        ) from why
    try:
        _keep_inside(place, work)
        app = LabApp.initialize_server(argv=[], config=_config(place, work))
        hours = timedelta(seconds=max(manifest.limits.timeout_s - LEAVE_EARLY_S, 0))
        Watch(app, events, idle=timedelta(minutes=knobs.idle_minutes), hours=hours).begin()
        app.io_loop.add_callback(events.stage, READY)
        app.start()
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Watch:
    """Ends the server when its hours are over, or nobody has worked in it for a while.

    At the end of its hours it goes by itself, just before the engine would call it a failure.

    Jupyter's own measure takes every call for work, also those that an open page makes every
    few seconds for ever. Work is: a kernel that computes or answers, a terminal in which
    something is typed or printed, and every call that changes something, such as saving.
    """

    def __init__(
        self, app: ServerApp, events: Events, *, idle: timedelta, hours: timedelta
    ) -> None:
        """Take this moment for the start, and for the first sign of work."""
        self._app = app
        self._events = events
        self._idle = idle
        self._changed_at = datetime.now(UTC)
        self._ends_at = self._changed_at + hours
        self._looking = PeriodicCallback(self._look, LOOK_EVERY_S * 1000)

    def begin(self) -> None:
        """Listen to calls, and look at the rest now and then."""
        self._app.web_app.settings["log_function"] = self._note
        self._looking.start()

    def _note(self, handler: RequestHandler) -> None:
        if handler.request.method not in LOOKING:
            self._changed_at = datetime.now(UTC)

    def _look(self) -> None:
        now = datetime.now(UTC)
        if now >= self._ends_at:
            self._end("hours_over", Sentence(_("It stopped by itself: its hours were over.")))
        elif now - self._worked_at() > self._idle:
            text = _(
                "It stopped by itself: nothing happened any more (limit: %(minutes)s min)."
            )
            minutes = round(self._idle.total_seconds() / 60)
            self._end("idle", Sentence(text, minutes=minutes))

    def _end(self, code: str, told: Sentence) -> None:
        self._looking.stop()
        self._events.warning(code, told)
        self._app.stop()

    def _worked_at(self) -> datetime:
        manager = self._app.kernel_manager
        kernels = [manager.get_kernel(name) for name in manager.list_kernel_ids()]
        if any(getattr(kernel, "execution_state", "") == "busy" for kernel in kernels):
            return datetime.now(UTC)
        terminals = self._app.web_app.settings.get("terminal_manager")
        shells = list(terminals.terminals.values()) if terminals else []
        seen: list[datetime] = [one.last_activity for one in (*kernels, *shells)]
        return max([self._changed_at, *seen])


def _keep_inside(place: Path, work: Path) -> None:
    """Let Jupyter keep what is not work beside its socket; it goes when the lab ends."""
    for name, folder in (
        ("JUPYTER_CONFIG_DIR", "config"),
        ("JUPYTER_DATA_DIR", "data"),
        ("JUPYTER_RUNTIME_DIR", "r"),
        ("IPYTHONDIR", "ipython"),
    ):
        os.environ[name] = str(place / folder)
    (place / "config" / "labconfig").mkdir(parents=True)
    page = json.dumps({"disabledExtensions": dict.fromkeys(LEFT_OUT, True)})
    (place / "config" / "labconfig" / "page_config.json").write_text(page)
    os.environ["DO_NOT_TRACK"] = "1"
    # For kernels, of which a cell may begin with `!python`.
    os.environ["PATH"] = f"{shell.path_in(place)}:{os.environ.get('PATH', os.defpath)}"
    os.chdir(work)


def _config(place: Path, work: Path) -> Config:
    token = secrets.token_urlsafe(32)
    token_in(place).touch(mode=0o600)
    token_in(place).write_text(token)
    config = Config()
    config.ServerApp.sock = str(socket_in(place))
    config.ServerApp.sock_mode = "0600"
    config.ServerApp.open_browser = False
    config.ServerApp.root_dir = str(work)
    config.ServerApp.preferred_dir = str(work)
    config.ServerApp.jpserver_extensions = {
        "jupyter_server_terminals": True,
        "jupyter_lsp": False,  # would look for, and start, servers of languages
        "notebook_shim": False,
    }
    config.ServerApp.allow_root = True  # where the site runs jobs as root it is not ours to say
    config.ServerApp.allow_remote_access = True  # who may come is looked at by the gateway
    config.ServerApp.quit_button = True
    config.ServerApp.terminado_settings = {"shell_command": shell.command(place)}
    config.ServerApp.use_redirect_file = False
    config.IdentityProvider.token = token
    config.PasswordIdentityProvider.allow_password_change = False
    config.KernelManager.transport = "ipc"
    config.LabApp.news_url = None
    config.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    config.LabApp.extension_manager = "readonly"
    config.LabApp.user_settings_dir = str(work.parent / ".lab-settings")
    config.LabApp.workspaces_dir = str(place / "workspaces")
    return config
