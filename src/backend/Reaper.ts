/**
 * Kills the runners of a killed parent: no other process could end a runner that computes without pause.
 *
 * A healthy runner ends by itself when the socketpair to its parent closes. A runner with a blocked event loop does not
 * notice. So one `/bin/sh` per parent waits on a pipe whose other end only the parent holds. When the pipe ends and
 * runners are still registered, the shell waits for their grace, sends SIGKILL, and ends.
 *
 * Measured on Linux with dash: 1.7 MiB resident (0.1 of it private) and 5 ms to start, once per parent. A watchdog
 * thread in every runner would take 18 MiB (10 private) and as much CPU at each boot as Node itself takes to start.
 */
import { type ChildProcess, spawn } from "node:child_process"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Keeps watch over the runners of this process. */
export interface Reaper {
  /** Registers process `pid`, to be killed `grace` milliseconds after the end of this process. */
  readonly watch: (pid: number, grace: number) => void
  /** Removes process `pid`, which has ended. Called at once, because another process may get the same pid. */
  readonly forget: (pid: number) => void
}

/*
 * Lines are "+ pid grace" and "- pid". A pid alone does not name a process, as it may be given again: `look` reads the
 * time at which it started, from /proc where there is one (field 22, counted from behind the name, which may hold
 * anything), else from ps. Only builtins run while the parent lives; dash and the sh of macOS know all of them.
 */
const script = `# effect-flame: ends the runners of process $1 when it was killed
trap '' HUP INT TERM
look() {
  born=
  if [ -r /proc/self/stat ]; then
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 0
    set -- \${stat##*) }
    [ "$1" = Z ] || born=\${20}
  else
    set -- $(ps -o stat= -o lstart= -p "$1" 2>/dev/null)
    case "$1" in Z*) ;; *) born=$2$3$4$5$6 ;; esac
  fi
}
without() {
  left=
  for runner in $runners; do [ "\${runner%%/*}" = "$1" ] || left="$left $runner"; done
  runners=$left
}
runners=
while read -r what pid grace; do
  without "$pid"
  if [ "$what" = + ]; then look "$pid"; runners="$runners $pid/$grace/$born"; fi
done
waited=0
while [ -n "$runners" ]; do
  for runner in $runners; do
    pid=\${runner%%/*} rest=\${runner#*/}
    look "$pid"
    if [ -z "$born" ] || [ "$born" != "\${rest#*/}" ]; then without "$pid"
    elif [ "$waited" -ge "\${rest%%/*}" ]; then kill -9 "$pid"; without "$pid"
    fi
  done
  [ -z "$runners" ] && break
  if sleep 0.1 2>/dev/null; then waited=$((waited + 100)); else sleep 1; waited=$((waited + 1000)); fi
done`

class Supervisor implements Reaper {
  private child: ChildProcess | undefined
  private readonly watched = new Map<number, number>()
  private readonly unavailable: (cause: Error) => void

  constructor(unavailable: (cause: Error) => void) {
    this.unavailable = unavailable
  }

  watch(pid: number, grace: number): void {
    this.watched.set(pid, Math.ceil(grace))
    if (this.child === undefined) this.start()
    else this.tell(`+ ${pid} ${Math.ceil(grace)}`)
  }

  forget(pid: number): void {
    if (this.watched.delete(pid)) this.tell(`- ${pid}`)
  }

  /** Ends the shell, and calls back when it has ended. */
  close(ended: () => void): void {
    const child = this.child
    if (child?.pid === undefined) return ended()
    for (const pid of this.watched.keys()) this.forget(pid)
    child.ref()
    child.once("exit", ended)
    child.stdin!.end()
  }

  private start(): void {
    // In a session of its own, because signals from a terminal to its parent's group must not end it.
    const child = spawn("/bin/sh", ["-c", script, "effect-flame-reaper", `${process.pid}`], {
      cwd: "/",
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"],
      detached: true
    })
    this.child = child
    child.once("error", this.unavailable)
    // Killed from outside. The next runner starts it again.
    child.once("exit", () => {
      if (this.child === child) this.child = undefined
    })
    if (child.pid === undefined) return
    child.stdin.on("error", () => {})
    // The shell must never keep a program running.
    child.unref()
    // a pipe of Bun has none, and keeps nothing alive
    ;(child.stdin as unknown as { unref?(): void }).unref?.()
    for (const [pid, grace] of this.watched) this.tell(`+ ${pid} ${grace}`)
  }

  private tell(line: string): void {
    if (this.child?.stdin?.writable === true) this.child.stdin.write(`${line}\n`)
  }
}

let shared: { readonly supervisor: Supervisor; users: number } | undefined

const unavailable = (context: Context.Context<never>) => (cause: Error) => {
  const loss = "should this process be killed, a runner in a blocked loop will outlive it"
  Effect.runForkWith(context)(Effect.logWarning(`no /bin/sh for the reaper (${cause.message}): ${loss}`))
}

/** The reaper of this process, for the lifetime of a scope. The last user waits until the shell has ended. */
export const acquire: Effect.Effect<Reaper, never, Scope.Scope> = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const mine = yield* Effect.acquireRelease(
    Effect.sync(() => {
      shared ??= { supervisor: new Supervisor(unavailable(context)), users: 0 }
      shared.users++
      return shared
    }),
    (mine) =>
      Effect.callback<void>((resume) => {
        if (--mine.users > 0) return resume(Effect.void)
        shared = undefined
        mine.supervisor.close(() => resume(Effect.void))
      })
  )
  return mine.supervisor
})
