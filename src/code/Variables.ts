/** Names of variables of the environment that a source file reads. */

const patterns = [
  /\bprocess\.env\.([A-Za-z_]\w*)/g,
  /\bprocess\.env\[\s*["']([A-Za-z_]\w*)["']\s*\]/g,
  // of effect/Config
  /\bConfig\.\w+\(\s*["']([A-Za-z_]\w*)["']/g
]

/** The names in a text, each once. Finds those that are written out: `process.env.NAME` and `Config.string("NAME")`. */
export const variablesIn = (text: string): ReadonlyArray<string> => [
  ...new Set(patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = ""]) => name)))
]
