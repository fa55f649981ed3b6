"""Ray from one driver process: an actor (default) or plain tasks. Speaks the line protocol of caller/host.mjs (fd 3 out, stdin in).

argv: variant (actor | task), case, options (JSON)
"""
import asyncio, json, os, signal, sys, time, traceback

out = os.fdopen(3, "w", buffering=1)
T_IMPORT = time.perf_counter()
try:
    import numpy as np
    import ray
except ImportError as e:
    out.write(json.dumps({"t": "error", "text": f"{e}: see Ray in bench/README.md"}) + "\n")
    os._exit(1)
IMPORT_MS = (time.perf_counter() - T_IMPORT) * 1000

variant, kase, o = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
TEXT = "abcdefghijklmnopqrstuvwxyz0123456789-_!"
now = time.perf_counter


def item(i):
    return {"id": 10_000_000 + i % 80_000_000, "text": TEXT}


def send(m):
    out.write(json.dumps(m) + "\n")
    out.flush()


def ask(m):
    send(m)
    if sys.stdin.readline().strip() in ("exit", ""):
        os._exit(0)


def section(name, pids, f, peaks=False):
    ask({"t": "begin", "name": name, "pids": pids, "peaks": peaks})
    r = f()
    ask({"t": "end", "name": name, "pids": pids, "n": r.get("n") if isinstance(r, dict) else None})
    return r


def spin(n):
    x = 1
    for _ in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
    return x


def timed_spin(n):
    t = time.perf_counter()
    x = spin(n)
    return {"x": x, "ms": (time.perf_counter() - t) * 1000}


def blob(size):
    return np.full(size, 7, dtype=np.uint8)


def items(n):
    for i in range(n):
        yield item(i)


class Worker:
    def echo(self, a):
        return {"id": a["id"], "text": a["text"]}

    def blob(self, size):
        return blob(size)

    def spin(self, n):
        return timed_spin(n)

    def hang(self):
        time.sleep(3600)

    def pid(self):
        return os.getpid()

    def items(self, n):
        yield from items(n)


class Peer:
    def __init__(self, workers):
        if variant == "actor":
            A = ray.remote(num_cpus=1)(Worker)
            self.actors = [A.remote() for _ in range(workers)]
            a = self.actors[0]
            self.echo, self.blob, self.hang = a.echo.remote, a.blob.remote, a.hang.remote
            self.pid = a.pid.remote
            self.items = a.items.options(num_returns="streaming").remote
        else:
            self.actors = []
            r = ray.remote(num_cpus=1)
            self.echo = r(lambda a: {"id": a["id"], "text": a["text"]}).remote
            self.blob, self.hang, self.spin_task = r(blob).remote, r(_hang).options(max_retries=0).remote, r(timed_spin).remote
            self.pid = r(lambda: os.getpid()).remote
            self.items = r(items).options(num_returns="streaming").remote

    def pids(self):
        if not hasattr(self, "_pids"):
            self._pids = [ray.get(self.pid())]
        return self._pids

    def seq(self, ms):
        lat, end, i = [], now() + ms / 1000, 0
        while True:
            t = now()
            if t >= end and len(lat) >= 20:
                return lat
            it = item(i)
            r = ray.get(self.echo(it))
            lat.append((now() - t) * 1e6)
            assert r["id"] == it["id"] and len(r["text"]) == len(it["text"])
            i += 1

    def conc(self, c, ms):
        """c in flight at all times: one coroutine per lane awaiting its ObjectRef."""
        async def main():
            t = now()
            end, n = t + ms / 1000, 0

            async def lane():
                nonlocal n
                while now() < end:
                    await self.echo(item(n))
                    n += 1
            await asyncio.gather(*[lane() for _ in range(c)])
            return {"n": n, "ms": (now() - t) * 1000}
        return asyncio.run(main())

    def waves(self, c, ms):
        """c issued, all c collected by one ray.get, again: the idiom of Ray's own microbenchmark."""
        t = now()
        end, n = t + ms / 1000, 0
        while now() < end:
            ray.get([self.echo(item(n + k)) for k in range(c)])
            n += c
        return {"n": n, "ms": (now() - t) * 1000}

    def burst(self, n):
        t = now()
        refs = [self.echo(item(i)) for i in range(n)]
        issued = now() - t
        ray.get(refs)
        return {"n": n, "ms": (now() - t) * 1000, "issued": issued * 1000}

    def result(self, size):
        r = ray.get(self.blob(size))
        assert r.nbytes == size and r[0] == 7 and r[-1] == 7

    def stream(self, n, cap):
        t, got = now(), 0
        gen = self.items(n)
        for ref in gen:
            ray.get(ref)
            got += 1
            if got % 256 == 0 and (now() - t) * 1000 > cap:
                break
        return {"n": got, "ms": (now() - t) * 1000}

    def cpu(self, tasks, iters):
        t, total = now(), 0
        if variant == "actor":
            pool = ray.util.ActorPool(self.actors)
            for r in pool.map_unordered(lambda a, n: a.spin.remote(n), [iters] * tasks):
                total += r["ms"]
        else:
            total = sum(r["ms"] for r in ray.get([self.spin_task(iters) for _ in range(tasks)]))
        return {"ms": (now() - t) * 1000, "sum": total, "n": tasks}

    def spin(self, iters):
        return ray.get(self.actors[0].spin.remote(iters) if variant == "actor" else self.spin_task(iters))


def _hang():
    time.sleep(3600)


def infra(cpus=2):
    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=2 * 2**30, configure_logging=False)


def q(a, p):
    return a[min(len(a) - 1, int(len(a) * p))]


def settle(f, ms):
    t = now()
    try:
        v = f(ms / 1000)
        return {"outcome": "value", "text": str(v)[:60], "ms": round((now() - t) * 1000, 1)}
    except ray.exceptions.GetTimeoutError:
        return {"outcome": "hang", "ms": ms}
    except Exception as e:
        text = " ".join(str(e).split())
        return {"outcome": "error", "name": type(e).__name__, "text": text[:160], "ms": round((now() - t) * 1000, 1)}


def rss():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20


def run():
    t = now()
    infra(1 if kase != "cpu" else 2)
    infra_ms = (now() - t) * 1000
    if kase == "boot":
        r0, t = rss(), now()
        p = Peer(1)
        ray.get(p.echo(item(1)))
        boot = (now() - t) * 1000
        pids = p.pids()
        time.sleep(1.2)
        section("idle", pids, lambda: time.sleep(1))
        return {"boot_ms": boot, "import_ms": IMPORT_MS, "infra_ms": infra_ms, "caller_growth_mib": rss() - r0}
    p = Peer(2 if kase == "cpu" else 1)
    if kase == "unary64":
        p.pids()
        p.conc(64, o["warmMs"])
        p.waves(64, o["warmMs"] / 2)
        p.seq(o["warmMs"] / 2)

        class L(dict):
            pass
        lat = []
        section("c1", p.pids(), lambda: (lat.extend(p.seq(o["ms"])), {"n": len(lat)})[1])
        lat.sort()
        a = p.conc(64, o["ms"])
        b = section("c64", p.pids(), lambda: p.waves(64, o["ms"]))
        return {"p50_us": q(lat, 0.5), "p99_us": q(lat, 0.99), "calls_c1": len(lat), "calls_per_s_c64": b["n"] / b["ms"] * 1000, "calls_per_s_c64_lanes": a["n"] / a["ms"] * 1000}
    if kase == "burst":
        p.waves(64, o["warmMs"] / 2)
        r = section("burst", p.pids(), lambda: p.burst(o["burst"]), peaks=True)
        return {"burst_ms": r["ms"], "issue_ms": r["issued"]}
    if kase == "result64MiB":
        p.result(1 << 20)
        section("one", p.pids(), lambda: p.result(o["blob"]), peaks=True)

        def f():
            t, n = now(), 0
            while n < 3 or (n < 8 and now() - t < 2.5):
                p.result(o["blob"])
                n += 1
            return {"n": n, "ms": (now() - t) * 1000}
        r = section("many", p.pids(), f, peaks=True)
        return {"mb_per_s": o["blob"] * r["n"] / 1e3 / r["ms"], "reps": r["n"]}
    if kase == "stream":
        p.stream(2000, 3000)
        r = section("stream", p.pids(), lambda: p.stream(o["items"], o["capMs"]))
        return {"items_per_s": r["n"] / r["ms"] * 1000, "items": r["n"]}
    if kase == "cpu":
        n = 400_000
        for _ in range(3):
            n = int(n * 20 / p.spin(n)["ms"])
        p.cpu(20, n)
        t1 = sorted(p.spin(n)["ms"] for _ in range(9))[4]
        r = section("cpu", [], lambda: p.cpu(o["tasks"], n))
        return {"cpu_ms": r["ms"], "ideal_ms": t1 * o["tasks"] / 2, "over_ideal": r["ms"] / (t1 * o["tasks"] / 2), "over_busy": r["ms"] / (r["sum"] / 2), "task_ms": t1}
    if kase == "fault":
        for i in range(20):
            ray.get(p.echo(item(i)))
        pid = p.pids()[0]
        ref = p.hang()
        time.sleep(0.6 if variant == "actor" else 2)
        if variant == "task":  # the task may have been given another worker process: the one that sleeps in our function
            pid = next((int(d) for d in os.listdir("/proc") if d.isdigit() and b"ray::_hang" in open(f"/proc/{d}/cmdline", "rb").read()), pid)
        t = now()
        os.kill(pid, signal.SIGKILL)
        seen = settle(lambda s: ray.get(ref, timeout=s), o["faultMs"])
        again = settle(lambda s: ray.get(p.echo(item(2)), timeout=s), 10_000)
        return {"how": "SIGKILL", **seen, "next_call": again, "next_since_kill_ms": (now() - t) * 1000, "unhandled": []}
    if kase == "queue":
        for i in range(20):
            ray.get(p.echo(item(i)))
        r0, t, errors, first = rss(), now(), 0, None
        refs = []
        for _ in range(o["queue"]):
            try:
                refs.append(p.hang())
            except Exception as e:
                errors += 1
                first = first or f"{type(e).__name__}: {str(e)[:140]}"
            if now() - t > 40:
                break
        issue = (now() - t) * 1000
        time.sleep(3)
        probe = settle(lambda s: ray.get(p.echo(item(1)), timeout=s), 5000)
        return {"submitted": len(refs) + errors, "rejected": errors, "first_error": first, "submit_ms": issue, "caller_growth_mib": rss() - r0, "probe": probe, "unhandled": []}
    raise ValueError(kase)


try:
    data = run()
    ask({"t": "result", "data": data})
    os._exit(0)
except BaseException:
    send({"t": "error", "text": traceback.format_exc()[-1500:]})
    os._exit(1)
