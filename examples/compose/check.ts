/** Runs the checks of all four programs, one after the other. */
for (const name of ["workflow", "ai", "cli", "telemetry"]) await import(`./${name}/check.ts`)
