"""The tasks of a program that uses leat, in gdb: live, or from a core file.

    (gdb) source .../share/leat/leat-gdb.py
    (gdb) leat tasks            every task, what it waits for, its group
    (gdb) leat bt 7             where task 7 is blocked
    (gdb) leat bt all

Needs libleat's debug information.  A blocked task's frames are shown by an
unwinder that puts them behind the selected thread's innermost frame; no register
is written, so it works on a core, too, and on optimized code: libleat's switch
keeps a frame pointer, and everything else is in the unwind tables.
"""
import gdb
import gdb.unwinder

STATES = {1: "ready", 2: "running", 3: "joining", 4: "blocked", 5: "waiting"}
PARKED = 4
FORK = 8
FOREIGN = 2
EXT = 64


def value(expression):
    return gdb.parse_and_eval(expression)


def type_of(name):
    return gdb.lookup_type("struct " + name)


def text(pointer):
    try:
        return pointer.string() if int(pointer) else ""
    except (gdb.error, UnicodeDecodeError):
        return "?"


def container_of(node, type_name, member):
    kind = type_of(type_name)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    char = gdb.lookup_type("char").pointer()
    return (node.cast(char) - offset).cast(kind.pointer())


def runtime():
    try:
        rt = value("leat__rt")
    except gdb.error as error:
        raise gdb.GdbError("no leat here, or libleat has no debug information: %s" % error)
    if int(rt) == 0:
        raise gdb.GdbError("no leat runtime is running")
    return rt.dereference()


def list_of(head, type_name, member):
    node = head["next"]
    while int(node) != int(head.address):
        item = container_of(node, type_name, member)
        yield item
        node = item[member]["next"]


def records(rt):
    char = gdb.lookup_type("char").pointer()
    task = type_of("leat__task").pointer()
    slabs = rt["slabs"]
    low, high = slabs.type.range()
    for i in range(low, high + 1):
        slab = slabs[i]
        while int(slab):
            base = slab["records"].address.cast(char)
            for k in range(int(slab["carved"])):
                yield (base + k * int(slab["size"])).cast(task)
            slab = slab["next"]


def tasks():
    """Every task that exists: (pointer, state)."""
    rt = runtime()
    for t in records(rt):
        state = int(t["state"])
        if state in STATES:
            yield t, state
    # Forked tasks live on their parents' stacks; the blocked ones are known to their own.
    for stack in list_of(rt["all_stacks"], "leat__stack", "all"):
        t = stack["task"]
        try:
            if (int(t) and int(t["flags"]) & FORK and int(t["state"]) == PARKED
                    and int(t["stack"]) == int(stack)):
                yield t, PARKED
        except gdb.MemoryError:
            continue


def name_of(t):
    name = ""
    if int(t["flags"]) & EXT:
        name = text(t["ext"]["name"])
    return name or (text(t["type"]["name"]) if int(t["type"]) else "?")


def number_of(t):
    """Ids are never reused; forked tasks have none and go by their address."""
    return str(int(t["id"])) if int(t["id"]) else hex(int(t))


def what(t, state):
    if state not in (4, 5):
        return ""
    names = value("leat__why_name")
    line = ": " + text(names[int(t["why"])])
    if state == PARKED and int(t["stack"]):
        line += " " + hex(int(t["stack"]["wait_object"]))
    return line


def describe(t, state):
    line = "task %s '%s' %s%s" % (number_of(t), name_of(t), STATES[state], what(t, state))
    group = t["scope"]
    if int(group):
        name = text(group["name"])
        line += "; group %s%s" % ("'%s' " % name if name else "", hex(int(group)))
        if int(group["flags"]) & 1:
            line += " (cancelled)"
    return line


class Context:
    """The registers of a blocked task: port/ctx/*.h."""

    def __init__(self, t):
        words = t["sp"].cast(gdb.lookup_type("unsigned long").pointer())
        sp = int(t["sp"])
        arch = gdb.selected_frame().architecture().name()
        if "aarch64" in arch:
            self.pc, self.sp = "pc", "sp"
            self.registers = {"pc": words[0], "x29": words[1], "x19": words[2],
                              "x30": words[3], "sp": sp + 32}
        else:
            self.pc, self.sp = "rip", "rsp"
            self.registers = {"rip": words[0], "rbp": words[1], "rsp": sp + 16}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TaskUnwinder(gdb.unwinder.Unwinder):
    """Says of the thread's innermost frame that it was called by the task."""

    def __init__(self):
        super().__init__("leat task")
        self.context = None
        self.top = None

    def __call__(self, pending):
        if not self.context:
            return None
        sp = pending.read_register(self.context.sp)
        pc = pending.read_register(self.context.pc)
        if (int(sp), int(pc)) != self.top:
            return None
        info = pending.create_unwind_info(FrameId(sp, pc))
        long = gdb.lookup_type("unsigned long")
        for name, number in self.context.registers.items():
            info.add_saved_register(name, gdb.Value(int(number)).cast(long))
        return info


UNWINDER = TaskUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def backtrace(t, options=""):
    gdb.newest_frame().select()
    frame = gdb.selected_frame()
    context = Context(t)
    top = (int(frame.read_register(context.sp)), int(frame.read_register(context.pc)))
    UNWINDER.context, UNWINDER.top = context, top
    gdb.invalidate_cached_frames()
    try:
        lines = gdb.execute("bt " + options, to_string=True).splitlines()
    finally:
        UNWINDER.context = None
        gdb.invalidate_cached_frames()
    # The thread's own frame is the first; the task's are numbered from 0.
    shown = False
    for line in lines:
        if line.startswith("#"):
            number, _, rest = line[1:].partition(" ")
            shown = int(number) > 0
            line = "#%-3d%s" % (int(number) - 1, rest)
        if shown:
            print(line)


class Leat(gdb.Command):
    """The tasks of a program that uses leat."""

    def __init__(self):
        super().__init__("leat", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """leat tasks: every task, what it waits for, its group."""

    def __init__(self):
        super().__init__("leat tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for t, state in tasks():
            print(describe(t, state))


class Backtrace(gdb.Command):
    """leat bt ID|all: the frames of one task that is blocked, or of all of them."""

    def __init__(self):
        super().__init__("leat bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.split()
        if len(wanted) != 1:
            raise gdb.GdbError("usage: leat bt ID|all")
        found = False
        for t, state in list(tasks()):
            if wanted[0] not in ("all", number_of(t)):
                continue
            found = True
            print(describe(t, state))
            if int(t["sp"]) and int(t["stack"]):
                backtrace(t)
            elif state == PARKED or state == 2 or state == 3:
                print("is on a thread: see `thread apply all bt'")
            else:
                print("has no stack")
        if not found:
            raise gdb.GdbError("no task %s; `leat tasks' lists them" % wanted[0])


Leat()
Tasks()
Backtrace()
