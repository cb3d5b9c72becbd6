"""Commands for LLDB that look into a todo-app in production: `attach-production`, `tasks` and `save-core`.

Imported by lldbinit. The app is the process that runs /app/todo-app in the process namespace of this container.
"""

import os
import re
import struct

import lldb

PROGRAM = "/app/todo-app"
LIMIT = os.environ["PAUSE_LIMIT"]
STANDS_STILL = "todo-app stands still until detach" + (f", at most {LIMIT} s (PAUSE_LIMIT)" if LIMIT != "0" else "")


def __lldb_init_module(debugger, _):
    for command in ("attach_production", "find_production", "tasks", "save_core"):
        debugger.HandleCommand(
            f"command script add --overwrite --function {__name__}.{command} {command.replace('_', '-')}"
        )
    bound_the_formatters()


def bound_the_formatters():
    """In optimised code a variable may be gone and its memory hold anything: no text of petabytes is to be shown."""
    count, read = lldb.SBValue.GetNumChildren, lldb.SBProcess.ReadMemory
    lldb.SBValue.GetNumChildren = lambda value, *most: min(count(value, *most), 1000)
    lldb.SBProcess.ReadMemory = lambda process, address, size, error: read(process, address, min(size, 64_000), error)


def find_production(debugger, _, result, __):
    """Makes attach-found the command that attaches to the todo-app in production, if these are its symbols.

    For CodeLLDB, which has to run what attaches itself: https://github.com/vadimcn/codelldb/issues/1293
    """
    pid = found(result)
    if pid:
        prepare(debugger)
        debugger.HandleCommand(f"command alias attach-found process attach --pid {pid}")
        result.AppendMessage(STANDS_STILL)


def attach_production(debugger, _, result, __):
    """Attaches to the todo-app in production, if these are its symbols."""
    pid = found(result)
    if not pid:
        return
    target = prepare(debugger)
    error, asynchronous = lldb.SBError(), debugger.GetAsync()
    debugger.SetAsync(False)
    target.AttachToProcessWithID(debugger.GetListener(), pid, error)
    debugger.SetAsync(asynchronous)
    if error.Fail():
        result.SetError(f"{error}; is another debugger there, or SYS_PTRACE missing (docker run --cap-add SYS_PTRACE)?")
        return
    # LLDB's own, in the loader of libraries: where a killed container leaves it, the app would end there.
    for own in range(-1, -9, -1):
        target.BreakpointDelete(own)
    result.AppendMessage(STANDS_STILL)


def found(result):
    """The process to attach to; None, and an error, if there is none or if it is another build."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and is_served_by(name)]
    if not pids:
        result.SetError("no todo-app runs here (docker run --pid container:NAME)")
        return None
    pid = min(pids)
    if is_held(pid):
        # Not the process: that is lldb-server, and where it is killed, so is the app.
        result.SetError("another debugger is there already: quit it, or stop its container")
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", LIMIT):
        result.SetError("PAUSE_LIMIT is no number of seconds up to 999999")
        return None
    owner = os.stat(f"/proc/{pid}").st_uid
    if owner != os.getuid():
        result.SetError(f"it runs as user {owner}, so this must, too: docker run --user {owner}")
        return None
    for path in programs_of(pid):
        theirs, ours = build_id(f"/proc/{pid}/root{path}"), build_id(path)
        if theirs != ours:
            result.SetError(
                f"these are not the symbols of the {path} that runs: its build id is {theirs}, theirs is {ours}."
                " Take the image that was built with it"
            )
            return None
    return pid


def prepare(debugger):
    """The target, with its symbols read before the app stands still."""
    debugger.HandleCommand("settings set plugin.jit-loader.gdb.enable off")
    target = debugger.GetSelectedTarget()
    if not target.GetExecutable().IsValid():
        target = debugger.CreateTarget(PROGRAM)
        debugger.SetSelectedTarget(target)
    target.FindFunctions("main")
    # What the app gets every day (a client that is gone, docker stop) is no reason to stand still.
    signals = "process handle --stop false --notify false SIGPIPE SIGTERM"
    debugger.GetCommandInterpreter().HandleCommand(signals, lldb.SBCommandReturnObject())
    return target


def is_served_by(pid):
    """Whether a process is the server; its health check runs the same program, for a moment."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            program, *arguments = line.read().decode(errors="replace").split("\0")
        return program == PROGRAM and arguments in ([""], ["serve", ""])
    except OSError:
        return False


def is_held(pid):
    """Whether a debugger holds a process."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return int(re.search(r"TracerPid:\s*(\d+)", status.read())[1]) > 0
    except OSError:
        return False


def programs_of(pid):
    """The program of a process and its libraries."""
    with open(f"/proc/{pid}/maps") as maps:
        lines = [line.split(maxsplit=5) for line in maps]
    return sorted({line[5].strip() for line in lines if "x" in line[1] and len(line) == 6 and line[5].startswith("/")})


def build_id(path):
    """The GNU build id of a program, as readelf shows it; empty without one."""
    specs = lldb.SBModuleSpecList.GetModuleSpecifications(path)
    return lldb.SBModule(specs.GetSpecAtIndex(0)).GetUUIDString().replace("-", "").lower() if specs.GetSize() else ""


def save_core(debugger, path, result, _):
    """Saves the app's memory in a file of this name, all of it, for `lldb --core`."""
    process = debugger.GetSelectedTarget().GetProcess()
    error = process.SaveCore(path, "minidump", lldb.eSaveCoreFull)
    if error.Fail():
        result.SetError(str(error))
        return
    if went_on(process, result):
        os.remove(path)
        return
    # LLDB 19 writes an exception for every thread that stands still, and reads no file with more than one:
    # the others become unused streams. https://learn.microsoft.com/windows/win32/api/minidumpapiset
    with open(path, "r+b") as core:
        _, _, count, directory = struct.unpack("<4sIII", core.read(16))
        core.seek(directory)
        kinds = [struct.unpack("<III", core.read(12))[0] for _ in range(count)]
        for number in [number for number, kind in enumerate(kinds) if kind == EXCEPTION_STREAM][1:]:
            core.seek(directory + 12 * number)
            core.write(bytes(12))


EXCEPTION_STREAM = 6


def went_on(process, result):
    """Whether the app went on while it was read, so that what was read is not the whole; and an error, if so."""
    # LLDB itself does not notice before its next command. A core's is another plug-in.
    if process.GetPluginName() != "gdb-remote" or is_held(process.GetProcessID()):
        return False
    result.SetError("the app went on before all of it was read; a longer PAUSE_LIMIT?")
    return True


def tasks(debugger, _, result, __):
    """Shows what tokio's tasks wait for: the async functions of each, outermost first, with the texts that they keep.

    What is run by a thread at this moment is shown by `thread backtrace all` as well.
    """
    target = debugger.GetSelectedTarget()
    # They would show whole trees.
    debugger.HandleCommand("type category disable Rust")
    try:
        runtime = runtime_of(target.GetProcess())
        if not runtime:
            result.SetError("no thread of tokio is here; are these the symbols of this build?")
            return
        for header in task_headers(target, runtime):
            try:
                result.AppendMessage("\n".join(described(target, header)))
            except (AttributeError, OverflowError, TypeError, ValueError):
                # A thread is at work on it, so that it may hold anything.
                result.AppendMessage(f"task {header.GetLoadAddress():#x} is running: see thread backtrace all")
        went_on(target.GetProcess(), result)
    finally:
        debugger.HandleCommand("type category enable Rust")


def runtime_of(process):
    """The handle of tokio's runtime, which each of its workers has."""
    for thread in process:
        for frame in thread:
            if re.match(r"tokio::runtime::scheduler::multi_thread::worker::run(::h|$)", frame.GetFunctionName() or ""):
                handle = variant(frame.FindVariable("handle"))
                if handle:
                    return member(handle, "__0", "ptr", "pointer")


def task_headers(target, runtime):
    """The tasks of a runtime, each as its tokio::runtime::task::core::Header."""
    header = target.FindFirstType("tokio::runtime::task::core::Header")
    lists = member(runtime, "data", "shared", "owned", "list", "lists")
    first, a_list = member(lists, "data_ptr"), member(lists, "data_ptr").GetType().GetPointeeType()
    for index in range(member(lists, "length").GetValueAsUnsigned()):
        one = value_at(target, first.GetValueAsUnsigned() + index * a_list.GetByteSize(), a_list)
        at = word(target, inside(one, "head").GetLoadAddress())
        while at:
            task = value_at(target, at, header)
            yield task
            # In its trailer: the one before and the next.
            at = word(target, at + member(task, "vtable", "trailer_offset").GetValueAsUnsigned() + 8)


def described(target, header):
    """The lines about a task."""
    poll = target.ResolveLoadAddress(member(header, "vtable", "poll").GetValueAsUnsigned()).GetFunction()
    cell = next((kind for kind in types_in(target, poll.GetBlock()) if kind.GetName().startswith(HARNESS)), None)
    yield f"task {header.GetLoadAddress():#x}"
    if not cell:
        return
    # Harness { cell: NonNull { pointer } }
    cell = cell.GetFieldAtIndex(0).GetType().GetFieldAtIndex(0).GetType().GetPointeeType()
    task = value_at(target, header.GetLoadAddress(), cell)
    stage = variant(member(task, "core", "stage", "stage", "__0", "value"))
    if stage and stage.GetNumChildren():
        yield from awaited(target, stage.GetChildAtIndex(0))


HARNESS = "tokio::runtime::task::harness::Harness<"


def types_in(target, block):
    """The types of the variables of a function, the inlined functions' too."""
    while block.IsValid():
        for value in block.GetVariables(target, True, True, False):
            yield value.GetType()
        yield from types_in(target, block.GetFirstChild())
        block = block.GetSibling()


def awaited(target, future):
    """A line for each async function, from this future to the innermost that it waits for."""
    # No more, since one that a thread is at work on may hold anything.
    for _ in range(100):
        if not future or not future.IsValid():
            return
        if re.match("core::pin::Pin<|alloc::boxed::Box<", future.GetTypeName()):
            pointer, vtable = pointer_in(future)
            if not vtable:
                future = pointer.Dereference()
                continue
            # A vtable has drop, size, align, and then poll, whose self is a Pin { pointer } of what we look for.
            poll = target.ResolveLoadAddress(word(target, vtable.GetValueAsUnsigned() + 24)).GetFunction()
            pin = poll.GetType().GetFunctionArgumentTypes().GetTypeAtIndex(0)
            kind = pin.GetFieldAtIndex(0).GetType().GetPointeeType()
            if not kind.IsValid():
                yield f"  {poll.GetName()}"
                return
            future = value_at(target, pointer.GetValueAsUnsigned(), kind)
            continue
        state = variant(future)
        # One without a state wraps another, or is the last.
        inner = state.GetChildMemberWithName("__awaitee") if state else wrapped(future)
        if state or not inner:
            name = re.sub("<.*|::{async_(fn|block)_env#.*", "", future.GetTypeName())
            yield f"  {name}{''.join(texts(target, state)) if state else ''}"
        future = inner


def wrapped(future):
    """The future within another."""
    return next((child for child in future.GetNonSyntheticValue() if FUTURE.search(child.GetTypeName())), None)


FUTURE = re.compile(r"async_(fn|block)_env#|dyn core::future::future::Future")


def pointer_in(value):
    """The pointer of a Pin or a Box, and its vtable if it has one."""
    while value.IsValid() and not value.GetType().IsPointerType():
        value = value.GetNonSyntheticValue()
        vtable = value.GetChildMemberWithName("vtable")
        if vtable.IsValid():
            return value.GetChildMemberWithName("pointer"), vtable
        value = value.GetChildAtIndex(0)
    return value, None


def texts(target, state):
    """What an async function keeps while it waits: the &str and the Strings, and what was requested."""
    for value in state.GetNonSyntheticValue():
        name = value.GetName()
        if value.GetTypeName() == "&str":
            at, length = value.GetChildMemberWithName("data_ptr"), value.GetChildMemberWithName("length")
        elif value.GetTypeName() == "alloc::string::String":
            at, length = inside(value, "pointer"), inside(value, "len")
        elif value.GetTypeName() == "http::request::Parts":
            name, path = "path", member(value, "uri", "path_and_query", "data", "bytes")
            at, length = member(path, "ptr"), member(path, "len")
            method = variant(member(value, "method", "__0"))
            yield " " + method.GetTypeName().rpartition("::")[2].partition(":")[0].upper() if method else ""
        else:
            continue
        at, length = at.GetValueAsUnsigned(), min(length.GetValueAsUnsigned(), 300)
        text = length and target.GetProcess().ReadMemory(at, length, lldb.SBError())
        if text:
            yield f" {name}={text.decode(errors='replace')!r}"


def variant(value):
    """What an enum is, or in which state an async function waits."""
    variants = list(value.GetNonSyntheticValue().GetChildMemberWithName("$variants$"))
    tagged = [one for one in variants if one.GetChildMemberWithName("$discr$").IsValid()]
    others = [one for one in variants if one not in tagged]
    known = {one.GetName(): one for one in tagged}
    found = next((known[f"$variant${tag}"] for tag in tags_of(value, tagged) if f"$variant${tag}" in known), None)
    found = found or (others[0] if others else None)
    return found and found.GetChildMemberWithName("value").GetNonSyntheticValue()


def tags_of(value, tagged):
    """The tag of an enum; or what it may be, the likeliest first.

    LLDB 19 takes the tag's place (in bytes) for its width (in bits, modulo 256), and shows the first bytes instead.
    Where it is among the places that this leaves, no member of the value is.
    """
    if not tagged:
        return
    tag = tagged[0].GetChildMemberWithName("$discr$")
    kind, _, place = tag.GetTypeName().partition(":")
    if not place:
        yield tag.GetValueAsUnsigned()
        return
    size = {"char": 1, "short": 2, "int": 4, "long": 8}[kind.split()[-1]]
    taken = set()
    for one in tagged:
        inner = one.GetChildMemberWithName("value").GetType()
        for field in inner.fields:
            taken.update(range(field.GetOffsetInBytes(), field.GetOffsetInBytes() + field.GetType().GetByteSize()))
    for offset in range(int(place), value.GetType().GetByteSize(), 256):
        if offset not in taken:
            at = value.GetLoadAddress() + offset
            yield value.GetProcess().ReadUnsignedFromMemory(at, size, lldb.SBError())


def member(value, *names):
    for name in names:
        value = value.GetNonSyntheticValue().GetChildMemberWithName(name)
    return value


def inside(value, name, depth=6):
    """The member of this name, wherever it is in a value; None if nowhere."""
    value = value.GetNonSyntheticValue()
    found = value.GetChildMemberWithName(name)
    if found.IsValid():
        return found
    for child in value if depth and not value.GetType().IsPointerType() else ():
        if found := inside(child, name, depth - 1):
            return found


def word(target, at):
    return target.GetProcess().ReadPointerFromMemory(at, lldb.SBError())


def value_at(target, at, kind):
    return target.CreateValueFromAddress("value", lldb.SBAddress(at, target), kind)
