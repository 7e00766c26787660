"""See that the system libraries of Qt and of a virtual screen are there; install them where allowed.

Does nothing outside Linux. On a Linux without apt, or without the right to install, it prints what is
missing and the exact command, and goes on: the headless parts of the program work without them.
"""

import ctypes.util
import os
import shutil
import subprocess
import sys

# What a Qt 6 window and a virtual X screen load, by the Debian or Ubuntu package that brings it.
PACKAGE_OF_LIBRARY = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-shape": "libxcb-shape0",
    "dbus-1": "libdbus-1-3",
    "fontconfig": "libfontconfig1",
    "glib-2.0": "libglib2.0-0",
}
PACKAGE_OF_PROGRAM = {"Xvfb": "xvfb", "xauth": "xauth"}


def main() -> int:
    """Report or mend what is missing; 0 unless an installation that was allowed failed."""
    if not sys.platform.startswith("linux"):
        return 0
    packages = missing_packages()
    if not packages:
        return 0
    if shutil.which("apt-get") is None:
        print(f"Missing system libraries (Debian names): {' '.join(packages)}. Install their equivalents.")
        return 0
    become_root = root_prefix()
    if become_root is None:
        print(f"Missing system libraries; please run:\n  sudo apt-get install -y {' '.join(packages)}")
        return 0
    return install(packages, become_root)


def missing_packages() -> list[str]:
    """Debian packages whose library or program this machine does not have."""
    missing = [package for name, package in PACKAGE_OF_LIBRARY.items() if not ctypes.util.find_library(name)]
    return missing + [package for name, package in PACKAGE_OF_PROGRAM.items() if not shutil.which(name)]


def root_prefix() -> list[str] | None:
    """How to run a command as root without asking for a password; None if that is not possible."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "--non-interactive"]
    if (
        shutil.which("sudo")
        and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0
    ):
        return sudo
    return None


def install(packages: list[str], become_root: list[str]) -> int:
    """Install the packages with apt and return its exit code."""
    print(f"Installing system libraries: {' '.join(packages)}", flush=True)
    quiet = {"stdout": subprocess.DEVNULL}
    subprocess.run([*become_root, "apt-get", "update", "-q"], check=False, **quiet)
    command = [*become_root, "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    code = subprocess.run(command, check=False, env=environment, **quiet).returncode
    if code:
        print(
            f"apt-get failed (exit code {code}). Please run:\n  sudo apt-get install -y {' '.join(packages)}"
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
