"""Settings. Every knob is read from the environment here and nowhere else."""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from fabriek.kernel.origins import index_url, lab_url, origin_of

PACKAGE = Path(__file__).resolve().parent


def _flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


def _words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def _made(home: Path) -> Path:
    """Make the factory's folder, and those above it that lack.

    Nobody else may look into them, but jobs that run as other accounts pass through them.
    """
    lacking = [folder for folder in (home, *home.parents) if not folder.exists()]
    for folder in reversed(lacking):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    return home


def _secret_key(home: Path) -> str:
    """Read the key from the environment, else from the factory's own folder, made once.

    The file is created exclusively and then read back, so that two processes which start
    together end up with the same key.
    """
    given = os.environ.get("FABRIEK_SECRET_KEY")
    if given:
        return given
    path = _made(home) / "secret-key"
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip() or secrets.token_urlsafe(48)
    with os.fdopen(opened, "w") as file:
        key = secrets.token_urlsafe(48)
        file.write(key)
    return key


def _database(url: str, home: Path) -> dict[str, object]:
    """Understand `sqlite:///path` and `postgresql://user:password@host:port/name`."""
    if not url:
        url = f"sqlite:///{_made(home) / 'fabriek.sqlite3'}"
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]),
            # Opening it anew for each call would cost as much as two queries.
            "CONN_MAX_AGE": 600,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # What was written is put in place four times more seldom than by default: each
                # time somebody waits for the disk, and a line of the log fills many pages.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                "PRAGMA wal_autocheckpoint=4000;",
            },
        }
    host = dict(word.split("=", 1) for word in parts.query.split("&") if "=" in word)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host.get("host", parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # What `kernel.prepared` asks is planned once for each connection.
        "OPTIONS": {"prepare_threshold": 0},
    }


# --- The factory -------------------------------------------------------------------------
HOME = Path(os.environ.get("FABRIEK_HOME", "var")).resolve()
FACTORY_NAME = os.environ.get("FABRIEK_NAME", "Fabriek")
FACTORY_CODE = os.environ.get("FABRIEK_CODE", "FAB")  # the start of application codes
# The private key (PEM, P-256) that signs models; made at first use where there is none.
SIGNING_KEY = Path(os.environ.get("FABRIEK_SIGNING_KEY", HOME / "signing-key.pem")).resolve()
TERMS_URL = os.environ.get("FABRIEK_TERMS_URL", "")  # a link at the foot of every page
FACTORY_URL = os.environ.get("FABRIEK_URL", "http://localhost:8000").rstrip("/")
STORE_HOME = Path(os.environ.get("FABRIEK_STORE", HOME / "store")).resolve()
# Files in a bucket: s3://bucket/prefix; the folder above then holds what is on its way and what
# was used lately, up to this much. The endpoint is for buckets that are not Amazon's.
STORE_BUCKET = os.environ.get("FABRIEK_STORE_BUCKET", "")
STORE_NEAR_BYTES = int(os.environ.get("FABRIEK_STORE_NEAR_BYTES", str(500 * 2**30)))
S3_ENDPOINT = os.environ.get("FABRIEK_S3_ENDPOINT", "")
RUNS_HOME = Path(os.environ.get("FABRIEK_RUNS", HOME / "runs")).resolve()
# Files of runs of people's own code, and how much those of one case may take together.
TRACKING_HOME = Path(os.environ.get("FABRIEK_TRACKING", HOME / "tracking")).resolve()
TRACKING_BYTES = int(os.environ.get("FABRIEK_TRACKING_BYTES", str(100 * 2**30)))
ENGINE = os.environ.get("FABRIEK_ENGINE", "local")
ENGINE_HOME = Path(os.environ.get("FABRIEK_ENGINE_HOME", HOME / "engine")).resolve()
ENGINE_GPUS = int(os.environ.get("FABRIEK_ENGINE_GPUS", "0"))  # 0: what the machine has
# Of one GPU, for what a run is told before it starts; 0: nobody said.
GPU_MEMORY_GB = float(os.environ.get("FABRIEK_GPU_MEMORY_GB", "0"))
# Only for FABRIEK_ENGINE=slurm.
SLURM_SSH = os.environ.get("FABRIEK_SLURM_SSH", "")  # user@login; else the commands are here
SLURM_CONF = os.environ.get("FABRIEK_SLURM_CONF", "")  # where it is not the usual one
SLURM_ACCOUNT = os.environ.get("FABRIEK_SLURM_ACCOUNT", "fabriek")  # above all of ours
SLURM_PARTITION = os.environ.get("FABRIEK_SLURM_PARTITION", "")
# Where runs go whose data may be used nowhere else: see docs/operate/slurm.md. Empty: none.
SLURM_SECURE_PARTITION = os.environ.get("FABRIEK_SLURM_SECURE_PARTITION", "")
SLURM_DEVICE = os.environ.get("FABRIEK_SLURM_DEVICE", "cuda")  # cpu on an emulated cluster
SLURM_NODES = int(os.environ.get("FABRIEK_SLURM_NODES", "64"))  # the most that one run may have
# How long one job may be, if less than the partition says: a longer run is a chain. 0: that.
SLURM_WALL_S = int(os.environ.get("FABRIEK_SLURM_WALL_S", "0"))
# By which the nodes of a run speak to each other: `ib0`; empty: the way to the first node.
SLURM_INTERFACE = os.environ.get("FABRIEK_SLURM_INTERFACE", "")
# Jobs of a case run as that case's own Unix account; nobody but the operator turns it off.
UNIX_ACCOUNTS = _flag("FABRIEK_UNIX_ACCOUNTS", ENGINE == "slurm")
UNIX_PREFIX = os.environ.get("FABRIEK_UNIX_PREFIX", "fab-")  # what their names begin with
UNIX_HOOK = Path(
    os.environ.get("FABRIEK_UNIX_HOOK", PACKAGE / "serve" / "hooks" / "unix-account")
).resolve()
# What one GPU with its part of a node draws, by the day from which on: 2026-01-01:700,...
GPU_WATTS = os.environ.get("FABRIEK_GPU_WATTS", "")
RECONCILE_HOUR = int(os.environ.get("FABRIEK_RECONCILE_HOUR", "3"))  # by night, local time
# In interactive work people run programs of their own. Where the jobs of all cases run as one
# account, that account can read everything: there nobody but the operator turns it on.
LAB = _flag("FABRIEK_LAB", ENGINE == "slurm" and UNIX_ACCOUNTS)
# Where it is found (* becomes the run, as each has a host of its own), and the port on loopback
# on which the gateway listens. 0: that of the address, or the one after the portal's.
LAB_URL = lab_url(os.environ.get("FABRIEK_LAB_URL", ""), FACTORY_URL)
LAB_PORT = int(os.environ.get("FABRIEK_LAB_PORT", "0"))
# Programs of people's own as runs, by the same rule; and from where their packages may come
# (the address of an index, without a password in it). Empty: nothing is installed.
OWN_CODE = _flag("FABRIEK_OWN_CODE", ENGINE == "slurm" and UNIX_ACCOUNTS)
PACKAGE_INDEX = index_url(os.environ.get("FABRIEK_PACKAGE_INDEX", ""))
# What somebody sends of their code at once, unpacked.
CODE_LIMIT_BYTES = int(os.environ.get("FABRIEK_CODE_LIMIT_BYTES", str(100 * 2**20)))
LOOP_PAUSE_S = float(os.environ.get("FABRIEK_LOOP_PAUSE_S", "1"))
COUNTRIES = Path(
    os.environ.get("FABRIEK_COUNTRIES", PACKAGE / "access" / "data" / "countries.json")
)
# All bytes are read again within so many days; between jobs, at most so many bytes a second.
SCRUB_DAYS = int(os.environ.get("FABRIEK_SCRUB_DAYS", "28"))
SCRUB_BYTES_PER_S = int(os.environ.get("FABRIEK_SCRUB_BYTES_PER_S", str(200 * 10**6)))
# A second place with the same files, such as a mirror: what is damaged here comes from there.
_COPY = os.environ.get("FABRIEK_STORE_COPY", "")
STORE_COPY = Path(_COPY).resolve() if _COPY else None
UPLOAD_LIMIT_BYTES = int(os.environ.get("FABRIEK_UPLOAD_LIMIT_BYTES", str(100 * 2**30)))
# All files together of the model that a run made, or of the checkpoints that one goes on from.
OUTPUTS_LIMIT_BYTES = int(os.environ.get("FABRIEK_OUTPUTS_LIMIT_BYTES", str(512 * 2**30)))

# Looking at data. A worker has this much memory, disk and time; larger revisions are looked at
# when somebody asks.
LOOKS_HOME = Path(os.environ.get("FABRIEK_LOOKS", HOME / "looks")).resolve()
LOOK_WORKERS = int(os.environ.get("FABRIEK_LOOK_WORKERS", "2"))
LOOK_MEMORY_BYTES = int(os.environ.get("FABRIEK_LOOK_MEMORY_BYTES", str(2 * 2**30)))
LOOK_DISK_BYTES = int(os.environ.get("FABRIEK_LOOK_DISK_BYTES", str(64 * 2**30)))
LOOK_S = int(os.environ.get("FABRIEK_LOOK_S", "3600"))
LOOK_AUTO_BYTES = int(os.environ.get("FABRIEK_LOOK_AUTO_BYTES", str(2 * 2**30)))
# The Python that reads names of people, made by `make .venv/names`; empty: none.
NAMES_HOME = Path(os.environ.get("FABRIEK_NAMES_HOME", ".venv-names")).resolve()
NAMES_PYTHON = os.environ.get(
    "FABRIEK_NAMES_PYTHON",
    str(NAMES_HOME / "bin/python") if (NAMES_HOME / "tables/ready").exists() else "",
)
NAMES_CACHE = NAMES_HOME / "tables"

# --- Django ------------------------------------------------------------------------------
SECRET_KEY = _secret_key(HOME)
DEBUG = _flag("FABRIEK_DEBUG")
ALLOWED_HOSTS = _words("FABRIEK_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _words("FABRIEK_ORIGINS", "")
ROOT_URLCONF = "fabriek.urls"
WSGI_APPLICATION = "fabriek.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "people.Person"
DATABASES = {"default": _database(os.environ.get("FABRIEK_DATABASE", ""), HOME)}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "fabriek.kernel",
    "fabriek.people",
    "fabriek.cases",
    "fabriek.access",
    "fabriek.allocations",
    "fabriek.store",
    "fabriek.agreements",
    "fabriek.datasets",
    "fabriek.quality",
    "fabriek.catalogue",
    "fabriek.runs",
    "fabriek.sweeps",
    "fabriek.tracking",
    "fabriek.programs",
    "fabriek.lab",
    "fabriek.machine",
    "fabriek.registry",
    "fabriek.trying",
    "fabriek.hub",
    "fabriek.reports",
    "fabriek.notices",
    "fabriek.pages",
    "fabriek.serve",
    "fabriek.demo",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "fabriek.tracking.middleware.TrackingMiddleware",
    "fabriek.hub.middleware.HubMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "fabriek.kernel.middleware.SafetyMiddleware",
    "fabriek.kernel.middleware.RefusalMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "fabriek.pages.context.factory",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "fabriek.kernel.templatetags.fabriek",
                "fabriek.kernel.templatetags.said",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# --- Sign-in -----------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "fabriek.people.signup.SignupForm"
ACCOUNT_EMAIL_VERIFICATION = os.environ.get("FABRIEK_EMAIL_VERIFICATION", "mandatory")
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{FACTORY_NAME}] "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PREVENT_ENUMERATION = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
# Sign-in with OpenID Connect, as docs/operate tells. A stranger's address is believed only when
# the provider says that it was checked, and an account that is there already is not given to
# whom the provider says has its address, unless the factory trusts the provider to know.
OIDC_ISSUER = os.environ.get("FABRIEK_OIDC_ISSUER", "").rstrip("/")
SIGN_IN_ORIGINS = sorted(
    {origin_of(OIDC_ISSUER), *map(origin_of, _words("FABRIEK_OIDC_ORIGINS", ""))} - {""}
)
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_ADAPTER = "fabriek.people.elsewhere.SignInElsewhere"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = _flag("FABRIEK_OIDC_LINKS")
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_PROVIDERS: dict[str, object] = {}
if OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                # Part of the callback address, and of whose number (`sub`) a number is.
                "provider_id": os.environ.get("FABRIEK_OIDC_ID", "oidc"),
                "name": os.environ.get("FABRIEK_OIDC_NAME", "OpenID Connect"),
                "client_id": os.environ.get("FABRIEK_OIDC_CLIENT_ID", ""),
                "secret": os.environ.get("FABRIEK_OIDC_SECRET", ""),
                "settings": {"server_url": OIDC_ISSUER},
            }
        ],
    }

# --- Language and time -------------------------------------------------------------------
LANGUAGE_CODE = os.environ.get("FABRIEK_LANGUAGE", "nl")
LANGUAGES = [("nl", _("Dutch")), ("en", _("English"))]
LOCALE_PATHS = [PACKAGE / "locale", PACKAGE.parent / "fabriek_recipes" / "locale"]
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "Europe/Amsterdam"

# --- Files -------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [PACKAGE / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
# The page that takes files streams them to the store; everywhere else they are skipped.
FILE_UPLOAD_HANDLERS = ["fabriek.kernel.uploads.NoFilesHere"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20  # form fields; files are streamed to disk

# --- Safety ------------------------------------------------------------------------------
HTTPS = FACTORY_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# With such names a browser takes them from this very host only, whatever stands beside it.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- Mail --------------------------------------------------------------------------------
EMAIL_HOST = os.environ.get("FABRIEK_SMTP_HOST", "")
EMAIL_PORT = int(os.environ.get("FABRIEK_SMTP_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("FABRIEK_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("FABRIEK_SMTP_PASSWORD", "")
EMAIL_USE_TLS = bool(EMAIL_HOST)
# Without a mail server: on the terminal, or as files in the factory's own folder.
EMAIL_KIND = "smtp" if EMAIL_HOST else os.environ.get("FABRIEK_MAIL", "console")
EMAIL_BACKEND = f"django.core.mail.backends.{EMAIL_KIND}.EmailBackend"
EMAIL_FILE_PATH = HOME / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("FABRIEK_MAIL_FROM", "fabriek@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("FABRIEK_LOG", "WARNING")},
}
