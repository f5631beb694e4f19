"""Where things are on a developer's machine. Everything listens on loopback only."""

from infrastructure import ROOT

EMULATOR_PORT = 4566
DESK_PORT = 4620
HOST_PORT = 4621
SMTP_PORT = 4625
PORTS = {
    EMULATOR_PORT: "the emulator",
    DESK_PORT: "the desk",
    HOST_PORT: "the function host",
    SMTP_PORT: "the mailbox",
}

LOCAL = ROOT / ".local"
LOGS = LOCAL / "log"
MAIL = LOCAL / "mail"
DEMO_FILE = LOCAL / "demo.json"
PID_FILE = LOCAL / "run.pid"

DESK_URL = f"http://127.0.0.1:{DESK_PORT}"
STAGE = "dev"
STACK = f"esr-learning-{STAGE}"
PARAMETERS = {
    "MailSender": "learning@esr-learning.example",
    "FirstAdministrator": "first.administrator",
    "PortalUrl": DESK_URL,
    "CursorSecret": "for local use only: everybody may know this",
    "CognitoEndpoint": f"http://127.0.0.1:{EMULATOR_PORT}",
}
DEFAULT_STAFF = 500
