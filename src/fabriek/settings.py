"""Settings. Every knob is read from the environment here and nowhere else."""

import os
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from fabriek.kernel.environment import Environment
from fabriek.kernel.home import database, secret_key
from fabriek.kernel.origins import host_of, index_url, lab_url, origin_of

PACKAGE = Path(__file__).resolve().parent
PORT_MAX = 65_535
_ENVIRONMENT = Environment(os.environ)
_flag, _words = _ENVIRONMENT.flag, _ENVIRONMENT.words
_path = _ENVIRONMENT.path
_whole, _number, _one_of = _ENVIRONMENT.whole, _ENVIRONMENT.number, _ENVIRONMENT.one_of

# --- The factory -------------------------------------------------------------------------
HOME = _path("FABRIEK_HOME", Path("var"))
FACTORY_NAME = os.environ.get("FABRIEK_NAME", "Fabriek")
FACTORY_CODE = os.environ.get("FABRIEK_CODE", "FAB")  # the start of application codes
# The private key (PEM, P-256) that signs models; made at first use where there is none.
SIGNING_KEY = _path("FABRIEK_SIGNING_KEY", HOME / "signing-key.pem")
TERMS_URL = os.environ.get("FABRIEK_TERMS_URL", "")  # a link at the foot of every page
FACTORY_URL = _ENVIRONMENT.address("FABRIEK_URL", "http://localhost:8000")
STORE_HOME = _path("FABRIEK_STORE", HOME / "store")
# Files in a bucket: s3://bucket/prefix; the folder above then holds what is on its way and what
# was used lately, up to this much. The endpoint is for buckets that are not Amazon's.
STORE_BUCKET = os.environ.get("FABRIEK_STORE_BUCKET", "")
STORE_NEAR_BYTES = _whole("FABRIEK_STORE_NEAR_BYTES", 500 * 2**30)
S3_ENDPOINT = os.environ.get("FABRIEK_S3_ENDPOINT", "")
RUNS_HOME = _path("FABRIEK_RUNS", HOME / "runs")
# Files of runs of people's own code, and how much those of one case may take together.
TRACKING_HOME = _path("FABRIEK_TRACKING", HOME / "tracking")
TRACKING_BYTES = _whole("FABRIEK_TRACKING_BYTES", 100 * 2**30)
ENGINE = _one_of("FABRIEK_ENGINE", "local", "slurm", "fake")
ENGINE_HOME = _path("FABRIEK_ENGINE_HOME", HOME / "engine")
ENGINE_GPUS = _whole("FABRIEK_ENGINE_GPUS", 0)  # 0: what the machine has
# Of one GPU, for what a run is told before it starts; 0: nobody said.
GPU_MEMORY_GB = _number("FABRIEK_GPU_MEMORY_GB", 0)
# Only for FABRIEK_ENGINE=slurm.
SLURM_SSH = os.environ.get("FABRIEK_SLURM_SSH", "")  # user@login; else the commands are here
SLURM_CONF = os.environ.get("FABRIEK_SLURM_CONF", "")  # where it is not the usual one
SLURM_ACCOUNT = os.environ.get("FABRIEK_SLURM_ACCOUNT", "fabriek")  # above all of ours
SLURM_PARTITION = os.environ.get("FABRIEK_SLURM_PARTITION", "")
# Where runs go whose data may be used nowhere else: see docs/operate/slurm.md. Empty: none.
SLURM_SECURE_PARTITION = os.environ.get("FABRIEK_SLURM_SECURE_PARTITION", "")
SLURM_DEVICE = _one_of("FABRIEK_SLURM_DEVICE", "cuda", "cpu")  # cpu on an emulated cluster
SLURM_NODES = _whole("FABRIEK_SLURM_NODES", 64, least=1)  # the most that one run may have
# How long one job may be, if less than the partition says: a longer run is a chain. 0: that.
SLURM_WALL_S = _whole("FABRIEK_SLURM_WALL_S", 0)
# By which the nodes of a run speak to each other: `ib0`; empty: the way to the first node.
SLURM_INTERFACE = os.environ.get("FABRIEK_SLURM_INTERFACE", "")
# Jobs of a case run as that case's own Unix account; nobody but the operator turns it off.
UNIX_ACCOUNTS = _flag("FABRIEK_UNIX_ACCOUNTS", ENGINE == "slurm")
UNIX_PREFIX = os.environ.get("FABRIEK_UNIX_PREFIX", "fab-")  # what their names begin with
UNIX_HOOK = _path("FABRIEK_UNIX_HOOK", PACKAGE / "serve" / "hooks" / "unix-account")
# What one GPU with its part of a node draws, by the day from which on: 2026-01-01:700,...
GPU_WATTS = os.environ.get("FABRIEK_GPU_WATTS", "")
RECONCILE_HOUR = _whole("FABRIEK_RECONCILE_HOUR", 3, most=23)  # by night, local time
# In interactive work people run programs of their own. Where the jobs of all cases run as one
# account, that account can read everything: there nobody but the operator turns it on.
LAB = _flag("FABRIEK_LAB", ENGINE == "slurm" and UNIX_ACCOUNTS)
# Where it is found (* becomes the run, as each has a host of its own), and the port on loopback
# on which the gateway listens. 0: that of the address, or the one after the portal's.
LAB_URL = lab_url(os.environ.get("FABRIEK_LAB_URL", ""), FACTORY_URL)
LAB_PORT = _whole("FABRIEK_LAB_PORT", 0, most=PORT_MAX)
# Programs of people's own as runs, by the same rule; and from where their packages may come
# (the address of an index, without a password in it). Empty: nothing is installed.
OWN_CODE = _flag("FABRIEK_OWN_CODE", ENGINE == "slurm" and UNIX_ACCOUNTS)
PACKAGE_INDEX = index_url(os.environ.get("FABRIEK_PACKAGE_INDEX", ""))
# What somebody sends of their code at once, unpacked.
CODE_LIMIT_BYTES = _whole("FABRIEK_CODE_LIMIT_BYTES", 100 * 2**20)
LOOP_PAUSE_S = _number("FABRIEK_LOOP_PAUSE_S", 1)
COUNTRIES = _path("FABRIEK_COUNTRIES", PACKAGE / "access" / "data" / "countries.json")
# All bytes are read again within so many days; between jobs, at most so many bytes a second.
SCRUB_DAYS = _whole("FABRIEK_SCRUB_DAYS", 28)
SCRUB_BYTES_PER_S = _whole("FABRIEK_SCRUB_BYTES_PER_S", 200 * 10**6)
# A file that was last proven so long ago is proven before it is given out. 0: never.
PROVE_DAYS = _whole("FABRIEK_PROVE_DAYS", 7)
# A second place with the same files, such as a mirror: what is damaged here comes from there.
_COPY = os.environ.get("FABRIEK_STORE_COPY", "")
STORE_COPY = Path(_COPY).resolve() if _COPY else None
UPLOAD_LIMIT_BYTES = _whole("FABRIEK_UPLOAD_LIMIT_BYTES", 100 * 2**30)
# All files together of the model that a run made, or of the checkpoints that one goes on from.
OUTPUTS_LIMIT_BYTES = _whole("FABRIEK_OUTPUTS_LIMIT_BYTES", 512 * 2**30)

# Looking at data. A worker has this much memory, disk and time; larger revisions are looked at
# when somebody asks.
LOOKS_HOME = _path("FABRIEK_LOOKS", HOME / "looks")
LOOK_WORKERS = _whole("FABRIEK_LOOK_WORKERS", 2)
LOOK_MEMORY_BYTES = _whole("FABRIEK_LOOK_MEMORY_BYTES", 2 * 2**30)
LOOK_DISK_BYTES = _whole("FABRIEK_LOOK_DISK_BYTES", 64 * 2**30)
LOOK_S = _whole("FABRIEK_LOOK_S", 3600)
LOOK_AUTO_BYTES = _whole("FABRIEK_LOOK_AUTO_BYTES", 2 * 2**30)
# The Python that reads names of people, made by `make .venv/names`; empty: none.
NAMES_HOME = _path("FABRIEK_NAMES_HOME", Path(".venv-names"))
NAMES_PYTHON = os.environ.get(
    "FABRIEK_NAMES_PYTHON",
    str(NAMES_HOME / "bin/python") if (NAMES_HOME / "tables/ready").exists() else "",
)
NAMES_CACHE = NAMES_HOME / "tables"

# --- Django ------------------------------------------------------------------------------
SECRET_KEY = secret_key(os.environ.get("FABRIEK_SECRET_KEY", ""), HOME)
DEBUG = _flag("FABRIEK_DEBUG")
ALLOWED_HOSTS = [
    *_words("FABRIEK_HOSTS", "localhost,127.0.0.1,[::1]"),
    host_of(FACTORY_URL),
]
CSRF_TRUSTED_ORIGINS = _words("FABRIEK_ORIGINS", "")
ROOT_URLCONF = "fabriek.urls"
WSGI_APPLICATION = "fabriek.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "people.Person"
DATABASES = {"default": database(os.environ.get("FABRIEK_DATABASE", ""), HOME)}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",  # allauth's list of security keys loads it
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
    "fabriek.kernel.visitors.VisitorMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "fabriek.kernel.middleware.NoFormsMiddleware",
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
ACCOUNT_EMAIL_VERIFICATION = _one_of(
    "FABRIEK_EMAIL_VERIFICATION", "mandatory", "optional", "none"
)
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
LANGUAGE_CODE = _one_of("FABRIEK_LANGUAGE", "nl", "en")
LANGUAGES = [("nl", _("Dutch")), ("en", _("English"))]
# Those of the rooms too: Django would let the words of allauth, an app before them, win.
LOCALE_PATHS = [
    PACKAGE / "locale",
    PACKAGE.parent / "fabriek_recipes" / "locale",
    *sorted(PACKAGE.glob("*/locale")),
]
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "Europe/Amsterdam"

# --- Files -------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [PACKAGE / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "fabriek.kernel.static_files.SummedNames"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
# The page that takes files streams them to the store; everywhere else they are skipped.
FILE_UPLOAD_HANDLERS = ["fabriek.kernel.uploads.NoFilesHere"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20  # form fields; files are streamed to disk

# --- Safety ------------------------------------------------------------------------------
# The authority that signed our own certificate, where it is not one that everybody trusts.
CA_FILE = _ENVIRONMENT.certificates("FABRIEK_CA_FILE")
HTTPS = FACTORY_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# With such names a browser takes them from this very host only, whatever stands beside it.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
# How many proxies stand before the portal and write down whom they answer. By https there is
# one at least, as the portal itself ends no TLS.
PROXIES = _whole("FABRIEK_PROXIES", 1 if HTTPS else 0)

# --- Mail --------------------------------------------------------------------------------
EMAIL_HOST = os.environ.get("FABRIEK_SMTP_HOST", "")
EMAIL_PORT = _whole("FABRIEK_SMTP_PORT", 587, least=1, most=PORT_MAX)
EMAIL_HOST_USER = os.environ.get("FABRIEK_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("FABRIEK_SMTP_PASSWORD", "")
EMAIL_USE_TLS = bool(EMAIL_HOST)
# Without a mail server: on the terminal, or as files in the factory's own folder.
EMAIL_KIND = (
    "smtp" if EMAIL_HOST else _one_of("FABRIEK_MAIL", "console", "filebased", "locmem", "dummy")
)
EMAIL_BACKEND = f"django.core.mail.backends.{EMAIL_KIND}.EmailBackend"
EMAIL_FILE_PATH = HOME / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("FABRIEK_MAIL_FROM", "fabriek@localhost")

LOG_LEVEL = _one_of("FABRIEK_LOG", "WARNING", "DEBUG", "INFO", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
