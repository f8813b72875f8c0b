# SPDX-License-Identifier: MIT OR Apache-2.0
"""Light loads, bounded, on this machine only: each is called again and again, one request a call."""

import http.client
import itertools
import json
import os
import socket
import subprocess

TIMEOUT_SECONDS = 20
RENEW = 13  # one request in so many comes over a new connection


class LoadError(Exception):
    """The program answered wrongly."""


class Http:
    """GETs of some paths over a few connections that are kept open for a while."""

    rate = 100

    def __init__(self, port, paths, connections=4):
        self.connections = itertools.cycle(
            [http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS) for _ in range(connections)])
        self.paths = itertools.cycle(paths)
        self.count = 0

    def request(self):
        connection = next(self.connections)
        self.count += 1
        if self.count % RENEW == 0:
            connection.close()
        try:
            connection.request("GET", next(self.paths))
            answer = connection.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            raise
        if answer.status != 200:
            raise LoadError(f"HTTP status {answer.status}")


class Redis:
    """SET and GET, over a few connections."""

    rate = 100

    def __init__(self, port, connections=4):
        self.port = port
        self.sockets = [self.connect() for _ in range(connections)]
        self.count = 0

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS)

    @staticmethod
    def ask(connection, *words):
        packed = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        connection.sendall(b"*%d\r\n%s" % (len(words), packed))
        return connection.recv(4096)

    def request(self):
        self.count += 1
        index = self.count % len(self.sockets)
        if self.count % RENEW == 0:
            self.sockets[index].close()
            self.sockets[index] = self.connect()
        key, value = b"key%d" % (self.count % 50), b"value%d" % self.count
        if self.ask(self.sockets[index], b"SET", key, value) != b"+OK\r\n":
            raise LoadError("SET was not answered with OK")
        if value not in self.ask(self.sockets[index], b"GET", key):
            raise LoadError("GET did not return what was set")


class Commands:
    """Runs a client of the program."""

    def __init__(self, command, rate, folder, environment):
        self.command, self.rate = command, rate
        self.options = {"cwd": folder, "env": {**os.environ, **environment}, "stdin": subprocess.DEVNULL,
                        "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "timeout": TIMEOUT_SECONDS}

    def request(self):
        try:
            done = subprocess.run(self.command, **self.options)
        except subprocess.TimeoutExpired as late:
            raise LoadError("the client did not end") from late
        if done.returncode:
            raise LoadError(done.stderr.decode(errors="replace")[-200:])


class LanguageServer:
    """An editor: one connection, edits of a document, and requests to format it."""

    rate = 10

    def __init__(self, path, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")
        self.uri = (folder / "a.js").as_uri()
        self.number = 0
        self.call("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
        self.send({"method": "initialized", "params": {}})
        document = {"uri": self.uri, "languageId": "javascript", "version": 1, "text": "let  a=1;\n"}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def receive(self):
        length = 0
        while line := self.stream.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            raise LoadError("the connection was closed")
        return json.loads(self.stream.read(length))

    def call(self, method, params):
        self.number += 1
        number = self.number
        self.send({"id": number, "method": method, "params": params})
        while True:
            message = self.receive()
            if "method" not in message and message.get("id") == number:
                if "error" in message:
                    raise LoadError(str(message["error"])[:200])
                return
            if "method" in message and "id" in message:
                self.send({"id": message["id"], "result": None})

    def request(self):
        if self.number % RENEW == 0:
            self.open_another()
        text = f"let  a={self.number};\nfunction f( ){{return a}}\n"
        self.send({"method": "textDocument/didChange", "params": {
            "textDocument": {"uri": self.uri, "version": self.number + 1}, "contentChanges": [{"text": text}]}})
        self.call("textDocument/formatting", {"textDocument": {"uri": self.uri},
                                              "options": {"tabSize": 2, "insertSpaces": False}})

    def open_another(self):
        uri = f"{self.uri}.{self.number}.js"
        document = {"uri": uri, "languageId": "javascript", "version": 1, "text": "let b = 2;\n"}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        self.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
