/** Accounts in an SQLite database, which is open on one runner for as long as the service is placed. */
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Flame from "effect-flame/Flame"

/** The database cannot be opened on the runner's machine. */
export class Unopened extends Schema.TaggedError<Unopened>()("Unopened", { path: Schema.String, why: Schema.String }) {
  override get message(): string {
    return `${this.path} cannot be opened: ${this.why}`
  }
}

/** The account holds less than the amount of the transfer. */
export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { account: Schema.String }) {
  override get message(): string {
    return `there is not enough in the account of ${this.account}`
  }
}

export const Account = Schema.Struct({ name: Schema.String, balance: Schema.Int })

export class Books extends RpcGroup.make(
  Rpc.make("open", { payload: Account }),
  Rpc.make("transfer", {
    payload: { from: Schema.String, to: Schema.String, amount: Schema.Int },
    error: Overdrawn
  }),
  Rpc.make("accounts", { success: Account, stream: true })
) {}

const tables = `create table account (name text primary key, balance integer not null check (balance >= 0)) strict`

/** The placed service. Requests arrive in any order, and the database handles one at a time, because a runner has one thread. */
export const ledger = Flame.service(
  "ledger",
  { group: Books, payload: { path: Schema.String }, error: Unopened },
  ({ path }) =>
    Books.toLayer(
      Effect.gen(function* () {
        // Imported here, so that only the runner loads SQLite: the parent loads this module too.
        const { DatabaseSync } = yield* Effect.promise(() => import("node:sqlite"))
        const opened = Effect.try({
          try: () => new DatabaseSync(path),
          catch: (cause) => new Unopened({ path, why: (cause as Error).message })
        })
        const db = yield* Effect.acquireRelease(opened, (db) => Effect.sync(() => db.close()))
        db.exec(tables)
        const open = db.prepare("insert into account (name, balance) values (?, ?)")
        const take = db.prepare("update account set balance = balance - ? where name = ? and balance >= ?")
        const give = db.prepare("update account set balance = balance + ? where name = ?")
        const all = db.prepare("select name, balance from account order by name")
        return Books.of({
          open: ({ balance, name }) => Effect.sync(() => void open.run(name, balance)),
          transfer: ({ amount, from, to }) =>
            Effect.suspend(() => {
              if (take.run(amount, from, amount).changes === 0) return Effect.fail(new Overdrawn({ account: from }))
              give.run(amount, to)
              return Effect.void
            }),
          accounts: () =>
            Stream.suspend(() =>
              Stream.fromIterable(
                all.all().map(({ balance, name }) => ({ name: String(name), balance: Number(balance) }))
              )
            )
        })
      })
    )
)
