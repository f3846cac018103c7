# Plays the part of systemd for tests: holds listening sockets, starts a program with them as
# sd_listen_fds(3) says, and starts it again whenever it ends, until it is told to stop by SIGTERM.
#
# usage: activator.py SOCKET... -- COMMAND...
# A SOCKET is NAME=unix:PATH or NAME=tcp:PORT (0 takes any free one). What it does is told line by line.
import os, signal, socket, sys

first_descriptor = 3
split = sys.argv.index("--")
command = sys.argv[split + 1:]
names, sockets = [], []
for argument in sys.argv[1:split]:
    name, _, address = argument.partition("=")
    kind, _, where = address.partition(":")
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX)
        made.bind(where)
        os.chmod(where, 0o660)
    else:
        made = socket.socket(socket.AF_INET)
        made.bind(("127.0.0.1", int(where)))
        where = made.getsockname()[1]
    made.listen(128)
    print(f"listening {name} {where}", flush=True)
    names.append(name)
    sockets.append(made)

child = 0
stopping = False


def stop(*_):
    global stopping
    stopping = True
    if child:
        os.kill(child, signal.SIGTERM)


signal.signal(signal.SIGTERM, stop)


def become_the_program():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Out of the way of those that they are moved to.
    moved = [os.dup(made.fileno()) for made in sockets]
    high = [os.dup2(fd, 100 + index, inheritable=False) for index, fd in enumerate(moved)]
    for index, fd in enumerate(high):
        os.dup2(fd, first_descriptor + index, inheritable=True)
    os.environ.update(
        LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=":".join(names))
    os.execvp(command[0], command)


while not stopping:
    child = os.fork()
    if child == 0:
        become_the_program()
    print(f"started {child}", flush=True)
    if stopping:
        os.kill(child, signal.SIGTERM)
    status = os.waitpid(child, 0)[1]
    print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)
