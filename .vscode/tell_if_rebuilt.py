"""Says what to do if the program was rebuilt after the process had started: its breakpoints would
stay grey for ever. Imported by LLDB after it has attached (launch.json)."""

import os


def __lldb_init_module(debugger, _):
    process = debugger.GetSelectedTarget().process
    if os.readlink(f"/proc/{process.id}/exe").endswith(" (deleted)"):
        print(
            f"todo-app (process {process.id}) was rebuilt after it had started, so no breakpoint will be hit."
            " Stop it (in its terminal, or: pkill todo-app) and press F5 again."
        )
