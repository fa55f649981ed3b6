/** A runner whose program ends before it serves. */
throw new Error("DATABASE_URL is not set")
