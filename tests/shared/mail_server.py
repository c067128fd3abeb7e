"""A mail server for the tests, made of aiosmtpd: it prints its port, then each mail that it took as a line of JSON.

What the part of a recipient before the `@` begins with says what becomes of the mail: `refused` is refused for good,
`busy` for now, `mute` gets no answer until the client goes, `dropped` has the connection cut in the middle of the mail.
It ends with its standard input.
"""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("--certificate", help="file with key and certificate: offers STARTTLS, and wants it")
arguments.add_argument("--implicit", action="store_true", help="TLS from the first byte instead")
arguments.add_argument("--password", help="wants a login as `documines` with that password")
arguments.add_argument("--port", type=int, default=0)
arguments = arguments.parse_args()


def say(what):
    print(what, flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return f"550 5.1.1 <{address}>: no such user here"
        if address.startswith("busy"):
            return "451 4.7.1 Greylisted, come back later"
        if address.startswith("mute"):
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("dropped"):
            server.transport.abort()
            return "451 never read"
        say(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("ascii"),
            "tls": session.ssl is not None or arguments.implicit,
            "user": session.auth_data.decode() if session.authenticated else None,
        }))
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_right = (data.login, data.password) == (b"documines", arguments.password.encode())
    return AuthResult(success=is_right, handled=False, auth_data=data.login)


async def main():
    tls = None
    if arguments.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.certificate)
    starttls = tls if not arguments.implicit else None

    def connection():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate if arguments.password else None,
            auth_required=arguments.password is not None,
            auth_require_tls=not arguments.implicit,
        )

    loop = asyncio.get_running_loop()
    implicit = tls if arguments.implicit else None
    server = await loop.create_server(connection, "127.0.0.1", arguments.port, ssl=implicit)
    say(server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
